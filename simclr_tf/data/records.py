"""Images in record files, TFRecord files as a rule, each read by its place."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from simclr_tf.data.image_files import decode as decode_file
from simclr_tf.data.image_files import to_canvas
from simclr_tf.data.image_headers import (
    MAX_PIXELS,
    claimed_size,
    gif_pixels,
    require_size,
)
from simclr_tf.data.record_file import Scan, read_record, size_and_time
from simclr_tf.data.record_index import RecordIndex
from simclr_tf.data.source import (
    Asked,
    DataError,
    Make,
    Source,
    by_index,
    read_in_batches,
    reason,
)

# Records being read at a time: of remote files each is a request.
_READ_AT_ONCE = 64
_BUFFER = 2**20  # bytes read at a time while a whole file is checked
_LABELS = np.iinfo(np.int32)
_FORMATS = "JPEG, PNG, BMP or GIF"
# The first bytes of image files, and the last ones of those that are whole.
_FIRST_BYTES = (b"\xff\xd8\xff", b"\x89PN", b"GIF")
_JPEG_END, _PNG_END = b"\xff\xd9", b"IEND"
WHOLE, _UNCERTAIN, NO_IMAGE = 0, 1, 2
# Complaints that quote a record's bytes cannot be told as text.
_TENSORFLOW = (tf.errors.OpError, UnicodeDecodeError)

Parse = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


class RecordSource(Source):
    """Images in records that an index finds.

    Args:
      index: where the records are.
      parse: makes of a record, a scalar string, the encoded image and the label.
      canvas: side of the square that images are put on, in pixels; None where all
        have the size that `image_shape` says.
      decode: makes an image of that size of what `parse` gives; of an image file where
        None.
      **about: of `Source`.
    """

    def __init__(
        self,
        index: RecordIndex,
        parse: Parse,
        canvas: int | None,
        *,
        decode: Callable[[tf.Tensor], tf.Tensor] | None = None,
        **about,
    ) -> None:
        super().__init__(num_examples=len(index.label), **about)
        self._decode = decode or decode_file
        self._index = index
        self._parse = parse
        self._canvas = canvas
        self.holds_files = canvas is not None
        with tf.device("CPU:0"):
            self._files = tf.constant(list(index.files))
            self._columns = [
                tf.convert_to_tensor(column)
                for column in (index.file, index.offset, index.length, index.label)
            ]

    def labels(self) -> np.ndarray | None:
        """See `Source`."""
        return None if self.num_classes is None else self._index.label

    def identity(self) -> Iterator[str]:
        """See `Source`."""
        yield from self._index.identities
        chosen = np.stack([self._index.file, self._index.offset]).astype("<i8")
        yield hashlib.sha256(chosen.tobytes()).hexdigest()

    def states(self) -> Iterator[str]:
        """See `Source`."""
        for file, (size, time) in zip(self._index.files, self._index.states):
            yield f"{file} {size} {time}"

    def find_fault(self) -> str | None:
        """See `Source`: files that changed since they were indexed."""
        changed = []
        for file, state in zip(self._index.files, self._index.states):
            try:
                if size_and_time(file) != state:
                    changed.append(f"{file} has changed")
            except DataError as error:
                changed.append(str(error).rstrip("."))
        if not changed:
            return None
        more = f"; and {len(changed) - 1:,} files more" if len(changed) > 1 else ""
        return (
            f"{self.spec} ({self.split}) changed while it was read: {changed[0]}"
            f"{more}. Start the run again with the files as they were."
        )

    def read(self, indices: tf.data.Dataset) -> tf.data.Dataset:
        """See `Source`; an image damaged inside its record stops the reading."""
        return self.read_files(by_index(indices), self._image)

    def read_files(self, asked: tf.data.Dataset, make: Make) -> tf.data.Dataset:
        """See `Source`; an image damaged inside its record stops the reading."""

        def example(
            one: Asked, record: tf.Tensor, label: tf.Tensor
        ) -> dict[str, tf.Tensor]:
            made = {**make(self._parse(record)[0], one), "index": one["index"]}
            if self.num_classes is not None:
                made["label"] = label
            return made

        def read_all(asked: tf.data.Dataset) -> tf.data.Dataset:
            return self._fetch(asked).map(
                example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
            )

        return read_in_batches(asked, read_all)

    def _fetch(self, asked: tf.data.Dataset) -> tf.data.Dataset:
        """What is asked for, one by one, with its record and label."""

        def fetch(one: Asked) -> tuple[Asked, tf.Tensor, tf.Tensor]:
            file, offset, length, label = self._found(one["index"])
            record = read_record(tf.gather(self._files, file), offset, length)
            return one, record, label

        # Deterministic is said, for options of the user's may say otherwise.
        return asked.map(fetch, num_parallel_calls=_READ_AT_ONCE, deterministic=True)

    def _found(self, index: tf.Tensor) -> list[tf.Tensor]:
        """Number of the file, offset, length and label of images, by their places."""
        return [tf.gather(column, index) for column in self._columns]

    def _image(self, contents: tf.Tensor, _: Asked) -> dict[str, tf.Tensor]:
        if self._canvas is None:
            return {"image": tf.ensure_shape(self._decode(contents), self.image_shape)}
        image, size = to_canvas(contents, self._canvas, self.value_range)
        return {"image": image, "size": size}


class RecordCheck:
    """Checks all records of a file and gives their labels; for `index_records`.

    Every checksum is verified and every record parsed. Images are not decoded, but
    for those whose last bytes are not an image's.

    Args:
      parse: of `RecordSource`.
      num_classes: what labels must be below, where that is known.
    """

    kind = "TFRecords"

    def __init__(self, parse: Parse, num_classes: int | None = None) -> None:
        self._parse = parse
        self._num_classes = num_classes
        signature = [tf.TensorSpec([], tf.string), tf.TensorSpec([], tf.int64)]
        # Traced here, or else each of the threads that call it first would trace it.
        read = tf.function(self._states, input_signature=signature)
        self._read = read.get_concrete_function()

    def __call__(self, file: str, scan: Scan) -> np.ndarray:
        """Labels, int32 `[N]`.

        Raises:
          DataError: for the first record that is not as it should be.
        """
        if not len(scan.lengths):
            return np.zeros(0, np.int32)
        try:
            states, labels = (
                column.numpy() for column in self._read(file, len(scan.lengths))
            )
        except _TENSORFLOW as error:
            raise self._fault(file, scan, error) from error
        for place in np.flatnonzero(states != WHOLE):
            self._require_image(file, scan, int(place), states[place])
        largest = _LABELS.max if self._num_classes is None else self._num_classes - 1
        wrong = np.flatnonzero((labels < -1) | (labels > largest))
        if len(wrong):
            raise DataError(
                f"{file}: the label of record {wrong[0]} (from 0) is "
                f"{labels[wrong[0]]:,}; labels must be from 0 to {largest:,}, or -1 "
                "where there is none. Number the classes from 0."
            )
        return labels.astype(np.int32)

    def _states(self, file: tf.Tensor, count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Of each record of a file, what its image looks like, and its label."""
        states = self._records(file, count).map(
            self._look, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        )
        return states.batch(count).get_single_element()

    def _records(self, file: tf.Tensor, count: tf.Tensor) -> tf.data.Dataset:
        """All records of a file."""
        return tf.data.TFRecordDataset(file, buffer_size=_BUFFER)

    def _record(self, file: str, scan: Scan, place: int) -> tf.Tensor:
        """One record of a file, by its place."""
        offset, length = scan.offsets[place], scan.lengths[place]
        return read_record(tf.constant(file), tf.constant(offset), tf.constant(length))

    def _look(self, record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image, label = self._parse(record)
        state = _state(image)
        # What is no image has no header to read a size from.
        checked = tf.cond(
            state == NO_IMAGE,
            lambda: image,
            lambda: require_size(image, claimed_size(image)),
        )
        with tf.control_dependencies([checked]):
            return tf.identity(state), label

    def _require_image(self, file: str, scan: Scan, place: int, state: int) -> None:
        if state == NO_IMAGE:
            raise DataError(
                f"{file}: the image of record {place} (from 0) is not a {_FORMATS} "
                "file."
            )
        image = self._parse(self._record(file, scan, place))[0]
        if gif_pixels(image.numpy()) > MAX_PIXELS:
            raise DataError(
                f"{file}: the frames of the GIF in record {place} (from 0) have more "
                f"than {MAX_PIXELS:,} pixels."
            )
        try:
            decode_file(image)
        except (*_TENSORFLOW, ValueError) as error:
            raise DataError(
                f"{file}: the image of record {place} (from 0) cannot be decoded: "
                f"{reason(error)}"
            ) from error

    def _fault(self, file: str, scan: Scan, error: Exception) -> DataError:
        """The first record that stops the reading, and why."""
        place = 0
        try:
            for record in self._records(file, len(scan.lengths)):
                self._look(record)
                place += 1
        except _TENSORFLOW as first:
            error = first
        why = "no Example" if isinstance(error, UnicodeError) else reason(error)
        return DataError(
            f"{file} cannot be read as {self.kind} of tf.train.Example: record {place} "
            f"(from 0): {why}"
        )


def _state(image: tf.Tensor) -> tf.Tensor:
    first = tf.strings.substr(image, 0, 3)
    known = tf.reduce_any(first == tf.constant(_FIRST_BYTES))
    known |= tf.strings.substr(image, 0, 2) == b"BM"
    jpeg, png, _ = _FIRST_BYTES
    # A GIF or BMP is decoded to see whether it is whole: few are kept in records.
    whole = ((first == jpeg) & (_last(image, 0, 2) == _JPEG_END)) | (
        (first == png) & (_last(image, 4, 4) == _PNG_END)
    )
    return tf.where(known, tf.where(whole, WHOLE, _UNCERTAIN), NO_IMAGE)


def _last(text: tf.Tensor, skipped: int, count: int) -> tf.Tensor:
    """`count` bytes before the last `skipped`."""
    first = tf.maximum(tf.strings.length(text) - skipped - count, 0)
    return tf.strings.substr(text, first, count)
