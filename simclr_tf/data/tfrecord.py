"""Images in TFRecord files of `tf.train.Example`, as ImageNet is commonly stored."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from simclr_tf.data.image_files import canvas_size, to_canvas
from simclr_tf.data.source import DataError, MissingSplit, Source, reason, shuffle

# Encoded images held to shuffle among: half a gigabyte of ImageNet's.
SHUFFLE_BUFFER = 4096
_READERS = 16
_COUNTED_AT_ONCE = 64
# Each an image's feature and its label's.
_LAYOUTS = (("image/encoded", "image/class/label"), ("image", "label"))
_SPLIT_NAMES = {"test": ("test", "val", "validation")}
_FORMATS = "JPEG, PNG, BMP or GIF"
_FIRST_BYTES = (b"\xff\xd8\xff", b"\x89PN", b"GIF")


class TFRecordSource(Source):
    """Images read from TFRecord files, each file from its start.

    Unshuffled, images come in the files' order. Shuffled, so are the files, 16 of
    them are read in turn, and images are drawn from a buffer of `SHUFFLE_BUFFER`
    encoded ones; the order is a function of the seed.

    Args:
      files: the files.
      counts: how many images each holds.
      image_key: the feature that holds the encoded image.
      label_key: the feature that holds the label, or None.
      canvas: side of the square that images are put on, in pixels.
      **about: of `Source`.
    """

    def __init__(
        self,
        files: Sequence[str],
        counts: Sequence[int],
        image_key: str,
        label_key: str | None,
        canvas: int,
        **about,
    ) -> None:
        super().__init__(
            num_examples=sum(counts),
            num_files=len(files),
            image_shape=(canvas, canvas, 3),
            **about,
        )
        self._files = list(files)
        self._firsts = np.cumsum([0, *counts])
        self._image_key = image_key
        self._label_key = label_key
        self._canvas = canvas

    def records(
        self, shuffle_seed: int | tf.Tensor | None, part: int = 0, parts: int = 1
    ) -> tf.data.Dataset:
        """See `Source`; pairs of place and record."""
        shuffled = shuffle_seed is not None
        first, end = self.bounds(part, parts)
        # Each file's share: its name, the place of its first record, from where to
        # where we want it.
        shares = [
            (file, start, max(first - start, 0), min(end, stop) - start)
            for file, start, stop in zip(self._files, self._firsts, self._firsts[1:])
            if start < end and stop > first
        ]
        with tf.device("CPU:0"):
            names, *places = zip(*shares)
            columns = [tf.constant(column, tf.int64) for column in places]
        files = tf.data.Dataset.from_tensor_slices((tf.constant(names), *columns))
        if shuffled:
            files = shuffle(files, len(shares), shuffle_seed)

        def read(
            file: tf.Tensor, start: tf.Tensor, skip: tf.Tensor, stop: tf.Tensor
        ) -> tf.data.Dataset:
            records = tf.data.TFRecordDataset(file).enumerate(start)
            return records.take(stop).skip(skip)

        records = files.interleave(
            read,
            cycle_length=max(_READERS // parts, 2) if shuffled else 1,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        if shuffled:
            records = shuffle(records, max(SHUFFLE_BUFFER // parts, 1), shuffle_seed)
        return records

    def example(self, index: tf.Tensor, record: tf.Tensor) -> dict[str, tf.Tensor]:
        """See `Source`; an image damaged inside its record stops the reading."""
        features = _features(self._image_key, self._label_key)
        parsed = tf.io.parse_single_example(record, features)
        image, size = to_canvas(parsed[self._image_key], self._canvas)
        example = {"image": image, "size": size, "index": index}
        if self._label_key is not None:
            example["label"] = tf.cast(parsed[self._label_key], tf.int32)
        return example


def load_tfrecord(
    pattern: str, split: str, image_size: int | None, labels: bool
) -> TFRecordSource:
    """The images in the TFRecord files that a glob matches.

    A record is a `tf.train.Example` with an encoded image in `image/encoded` and,
    optionally, an int64 label in `image/class/label`; or in `image` and `label`.
    Every file is read once up front, without decoding images, to count them and to
    find the largest label; there are that many classes and one more. So ImageNet,
    whose labels are commonly 1 to 1000 in TFRecords, has 1001.

    Args:
      pattern: the glob. It names the files of the split "train", unless it holds
        `{split}`, which stands for the split's name ("test" also for `val` and
        `validation`).
      split: "train" or "test".
      image_size: side of the views the images are for, in pixels; they are
        put on a square half again as wide.
      labels: whether to give labels, where there are any.

    Raises:
      DataError: where no file matches, a file is damaged, or its records are not
        as they should be.
    """
    files = _match(pattern, split)
    image_key, label_key = _keys(files, pattern)
    if not labels:
        label_key = None
    counts, largest = [], -1
    with concurrent.futures.ThreadPoolExecutor(_READERS) as readers:
        for count, label in readers.map(_Counter(image_key, label_key), files):
            counts.append(count)
            largest = max(largest, label)
    return TFRecordSource(
        files,
        counts,
        image_key,
        # Labels of unlabelled images are commonly -1.
        label_key if largest >= 0 else None,
        canvas_size(image_size),
        spec=f"tfrecord:{pattern}",
        split=split,
        num_classes=largest + 1 if largest >= 0 else None,
    )


def _match(pattern: str, split: str) -> list[str]:
    if "{split}" in pattern:
        names = _SPLIT_NAMES.get(split, (split,))
        globs = [pattern.replace("{split}", name) for name in names]
    elif split == "train":
        globs = [pattern]
    else:
        raise MissingSplit(
            f"tfrecord:{pattern} names the files of one split, and no {split}; "
            "{split} in the glob stands for train or test."
        )
    for candidate in globs:
        files = [f for f in tf.io.gfile.glob(candidate) if not tf.io.gfile.isdir(f)]
        if files:
            return sorted(files)
    complain = DataError if split == "train" else MissingSplit
    raise complain(f"No file matches {' or '.join(globs)}.")


def _keys(files: Sequence[str], pattern: str) -> tuple[str, str | None]:
    """The features that hold image and label, judged by the first record."""
    for file in files:
        try:
            record = next(tf.data.TFRecordDataset(file).as_numpy_iterator(), None)
            if record is None:
                continue
            features = tf.train.Example.FromString(record).features.feature
        except (tf.errors.OpError, DecodeError) as error:
            raise _unreadable(file, error) from error
        break
    else:
        raise DataError(f"The files that match {pattern} hold no records.")
    kinds = {key: value.WhichOneof("kind") for key, value in features.items()}
    layouts = [keys for keys in _LAYOUTS if kinds.get(keys[0]) == "bytes_list"]
    if not layouts:
        raise DataError(
            f"{file}: a record must hold an encoded image in image/encoded or image, "
            f"got the features {', '.join(sorted(kinds)) or 'none'}."
        )
    image_key, label_key = layouts[0]
    if kinds.get(label_key) not in (None, "int64_list"):
        raise DataError(
            f"{file}: {label_key} must be an int64_list, got {kinds[label_key]}."
        )
    return image_key, label_key if kinds.get(label_key) else None


def _features(
    image_key: str, label_key: str | None
) -> dict[str, tf.io.FixedLenFeature]:
    features = {image_key: tf.io.FixedLenFeature([], tf.string)}
    if label_key is not None:
        features[label_key] = tf.io.FixedLenFeature([], tf.int64)
    return features


class _Counter:
    """Counts a file's records and finds its largest label, checking each record."""

    def __init__(self, image_key: str, label_key: str | None) -> None:
        self._image_key = image_key
        self._label_key = label_key
        signature = [tf.TensorSpec([], tf.string)]
        self._count = tf.function(self._reduce, input_signature=signature)

    def __call__(self, file: str) -> tuple[int, int]:
        try:
            count, largest, no_image = (int(n) for n in self._count(file))
        except tf.errors.OpError as error:
            raise _unreadable(file, error) from error
        if no_image >= 0:
            raise DataError(
                f"{file}: {self._image_key} of record {no_image} (from 0) is not a "
                f"{_FORMATS} file."
            )
        return count, largest

    def _reduce(self, file: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Number of records, largest label and the first record without an image."""
        nothing = tf.constant(-1, tf.int64)

        def add(
            state: tuple[tf.Tensor, tf.Tensor, tf.Tensor], records: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            count, largest, no_image = state
            features = _features(self._image_key, self._label_key)
            parsed = tf.io.parse_example(records, features)
            bad = tf.where(~_is_image(parsed[self._image_key]))[:, 0]
            first_bad = tf.concat([count + bad, [nothing]], 0)[0]
            if self._label_key is not None:
                labels = parsed[self._label_key]
                largest = tf.maximum(largest, tf.reduce_max(labels))
            return (
                count + tf.size(records, out_type=tf.int64),
                largest,
                tf.where(no_image < 0, first_bad, no_image),
            )

        batches = tf.data.TFRecordDataset(file).batch(_COUNTED_AT_ONCE)
        return batches.reduce((tf.constant(0, tf.int64), nothing, nothing), add)


def _is_image(contents: tf.Tensor) -> tf.Tensor:
    first = tf.strings.substr(contents, 0, 3)
    known = tf.reduce_any(first[:, None] == tf.constant(_FIRST_BYTES), axis=1)
    return known | (tf.strings.substr(contents, 0, 2) == b"BM")


def _unreadable(file: str, error: Exception) -> DataError:
    return DataError(
        f"{file} cannot be read as TFRecords of tf.train.Example: {reason(error)}"
    )
