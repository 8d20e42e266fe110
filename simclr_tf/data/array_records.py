"""Images in ArrayRecord files, a form in which TensorFlow Datasets stores datasets.

TensorFlow has no operation that reads them: a Python library does, on the host, each
record by its number.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from simclr_tf.data.elsewhere import is_made_elsewhere
from simclr_tf.data.record_file import Scan, size_and_time
from simclr_tf.data.record_index import RecordIndex
from simclr_tf.data.records import Parse, RecordCheck, RecordSource
from simclr_tf.data.source import Asked, DataError, reason

# Records read by one call of Python, and calls at a time.
_CHUNK, _CHUNKS_AT_ONCE = 16, 16
# A dataset of a thousand files has more than a process may open.
_OPEN_AT_ONCE = 128
# What the library recommends for reading single records.
_OPTIONS, _BUFFER = "readahead_buffer_size:0,max_parallelism:0", 2**15


def require_array_record(spec: str, instead: str) -> None:
    """Raises DataError where the package that reads the files is not installed.

    Args:
      spec: the dataset, for the message.
      instead: how to do without.
    """
    try:
        from array_record.python import array_record_module  # noqa: F401
    except ImportError as error:
        raise DataError(
            f"{spec} is stored as ArrayRecord, which needs another package: "
            f"pip install 'simclr-tf[tfds]'; or {instead}."
        ) from error


class ArrayScan(Scan):
    """What `Scan` says of a TFRecord file, of an ArrayRecord file.

    Its digest is of the records alone, so it does not depend on their compression.
    """

    @classmethod
    def of(cls, file: str) -> ArrayScan:
        """Reads a file whole.

        Raises:
          DataError: where it, or a record, is damaged.
        """
        reader = _open(file)
        lengths: list[int] = []
        digest = hashlib.sha256()
        while len(lengths) < reader.num_records():
            end = min(len(lengths) + _CHUNK, reader.num_records())
            for record in _read(reader, file, np.arange(len(lengths), end)):
                lengths.append(len(record))
                digest.update(len(record).to_bytes(8, "little") + record)
        return cls(np.array(lengths, np.int64), digest.hexdigest())

    @property
    def offsets(self) -> np.ndarray:
        """int64 `[N]`, the records' numbers, by which they are read."""
        return np.arange(len(self.lengths))

    def fills(self, size: int) -> bool:
        """See `Scan`: compressed records may be of any size."""
        return True


class ArrayRecordCheck(RecordCheck):
    """`RecordCheck` of ArrayRecord files."""

    kind = "ArrayRecords"

    def _records(self, file: tf.Tensor, count: tf.Tensor) -> tf.data.Dataset:
        def read(name: bytes, places: np.ndarray) -> list[bytes]:
            path = name.decode("utf-8", "surrogateescape")
            return _read(_open(path), path, places)

        def fetch(places: tf.Tensor) -> tf.Tensor:
            return _by_python(read, file, places)

        return tf.data.Dataset.range(count).batch(_CHUNK).map(fetch).unbatch()

    def _record(self, file: str, scan: Scan, place: int) -> tf.Tensor:
        return tf.constant(_read(_open(file), file, np.array([place]))[0])


class ArrayRecordSource(RecordSource):
    """`RecordSource` of ArrayRecord files.

    A tf.data service cannot read it: its workers cannot call this process.
    """

    def __init__(
        self, index: RecordIndex, parse: Parse, canvas: int | None, **about
    ) -> None:
        super().__init__(index, parse, canvas, **about)
        self._reader = functools.lru_cache(_OPEN_AT_ONCE)(self._open)

    def _fetch(self, asked: tf.data.Dataset) -> tf.data.Dataset:
        if is_made_elsewhere():
            raise DataError(
                f"{self.spec} ({self.split}) is stored as ArrayRecord, which a tf.data "
                "service cannot read: make the batches on this machine, without "
                "data_service, or write the images with simclr prepare and name those."
            )

        def fetch(chunk: Asked) -> tuple[Asked, tf.Tensor, tf.Tensor]:
            file, place, _, label = self._found(chunk["index"])
            return chunk, _by_python(self._read, file, place), label

        chunks = asked.batch(_CHUNK).map(
            fetch, num_parallel_calls=_CHUNKS_AT_ONCE, deterministic=True
        )
        return chunks.unbatch()

    def _read(self, files: np.ndarray, places: np.ndarray) -> list[bytes]:
        """Records by the numbers of their files, and their own in these."""
        records = [b""] * len(files)
        for file in np.unique(files):
            these = np.flatnonzero(files == file)
            read = _read(self._reader(file), self._index.files[file], places[these])
            for place, record in zip(these, read):
                records[place] = record
        return records

    def _open(self, number: int) -> Any:
        file = self._index.files[number]
        if size_and_time(file) != self._index.states[number]:
            # Its records may be others now. `find_fault` then says what to do.
            raise DataError(f"{file} has changed")
        return _open(file)


def _open(file: str) -> Any:
    """An `ArrayRecordReader`; it closes the file when it is forgotten."""
    from array_record.python import array_record_module

    if "://" in file:
        raise DataError(
            f"{file}: ArrayRecord files are read from disks of this machine alone: "
            "copy the dataset to one, or prepare it anew with --file_format=tfrecord."
        )
    why = "it ends too early"
    try:
        reader = array_record_module.ArrayRecordReader(
            file, _OPTIONS, file_reader_buffer_size=_BUFFER
        )
        if reader.ok():
            return reader
        reader.read([0])  # Says what is wrong, as a rule.
    except RuntimeError as error:
        why = _why(error)
    raise DataError(
        f"{file} was cut short or is damaged: {why}. Write or copy it again."
    )


def _read(reader: Any, file: str, places: np.ndarray) -> list[bytes]:
    """Records of a file by their numbers, their checksums verified."""
    try:
        return reader.read(places.tolist())
    except RuntimeError as error:
        if len(places) > 1:  # Which one it is, the library does not say.
            return [_read(reader, file, one)[0] for one in places[:, None]]
        raise DataError(
            f"{file}: corrupted record {places[0]} (from 0): {_why(error)}. Write or "
            "copy the file again."
        ) from error


def _why(error: RuntimeError) -> str:
    return reason(error).rstrip("; ")


def _by_python(read: Callable[..., list[bytes]], *inputs: tf.Tensor) -> tf.Tensor:
    """The records, string `[n]`, that `read` gives when the graph runs."""

    def call(*arrays: Any) -> np.ndarray:
        try:
            found = read(*arrays)
        except DataError as error:
            # TensorFlow's message would begin with the class's full name.
            raise ValueError(str(error)) from None
        # Of objects: NumPy's own strings lose zeros at their end.
        records = np.empty(len(found), object)
        records[:] = found
        return records

    return tf.ensure_shape(tf.numpy_function(call, inputs, tf.string), [None])
