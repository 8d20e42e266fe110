"""Where the records of a TFRecord file lie, from their headers alone.

A record is its length as 8 bytes, a checksum of the length, the data, and a checksum
of the data, each checksum a masked CRC-32C of 4 bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from simclr_tf.data.regular_files import irregularity
from simclr_tf.data.source import DataError, reason

_HEADER, _FOOTER = 12, 4
OVERHEAD = _HEADER + _FOOTER  # bytes of a record beside its data
_REMOTE_CHUNK = 8 * 2**20
_GZIP = b"\x1f\x8b"


class Scan(NamedTuple):
    """What the headers of one file say.

    Attributes:
      lengths: int64 `[N]`, bytes of data of each record.
      digest: SHA-256 of all lengths and checksums, so of the file's contents.
    """

    lengths: np.ndarray
    digest: str

    @classmethod
    def of(cls, file: str) -> Scan:
        """See `scan`."""
        return scan(file)

    @property
    def offsets(self) -> np.ndarray:
        """int64 `[N]`, the byte at which each record's header begins."""
        return np.cumsum(self.lengths + OVERHEAD) - (self.lengths + OVERHEAD)

    def fills(self, size: int) -> bool:
        """Whether these are the records of a file of so many bytes."""
        return bool(np.sum(self.lengths + OVERHEAD) == size)


def size_and_time(file: str) -> tuple[int, int]:
    """Size in bytes, and time of the last change in nanoseconds.

    Raises:
      DataError: where it is no regular file, or cannot be looked at. Opening
        something else, such as a named pipe, could wait for ever.
    """
    kind = irregularity(file)
    if kind is not None:
        raise DataError(
            f"{file} is {kind} and no TFRecord file: remove it, or give a glob that "
            "leaves it out."
        )
    try:
        if _is_local(file):
            status = os.stat(file)  # gfile's has no fractions of a second.
            return status.st_size, status.st_mtime_ns
        status = tf.io.gfile.stat(file)
    except (OSError, tf.errors.OpError) as error:
        raise DataError(f"{file} cannot be read: {reason(error)}") from error
    return status.length, status.mtime_nsec


def scan(file: str) -> Scan:
    """Finds the records of a file.

    Of a local file the headers alone are read; of a remote one, where each read is
    a request, all of it in large pieces.

    Raises:
      DataError: where the file is no TFRecord file, was cut short, or claims a
        record that is longer than the rest of the file.
    """
    size, _ = size_and_time(file)
    heads, checksums = bytearray(), bytearray()
    fault, offset = None, 0
    with _reader(file, size) as read:
        head = read(0, _HEADER)
        while offset < size and fault is None:
            left = size - offset - OVERHEAD
            length = struct.unpack("<Q", head[:8])[0] if left >= 0 else 0
            if length > left:
                fault = (
                    f"the record at byte {offset:,} claims {length:,} bytes, and the "
                    f"file ends after {size:,}"
                    if left >= 0
                    else f"its last {size - offset:,} bytes are no record"
                )
                break
            heads += head
            # The checksum of this record's data and the header of the next record.
            tail = read(offset + _HEADER + length, _FOOTER + _HEADER)
            checksums += tail[:_FOOTER]
            head = tail[_FOOTER:]
            offset += length + OVERHEAD
    claimed = heads if fault is None or left < 0 else heads + head
    headers = np.frombuffer(bytes(claimed), np.uint8).reshape(-1, _HEADER)
    lengths = headers[:, :8].copy().view("<u8")[:, 0].astype(np.int64)
    wrong = np.flatnonzero(_masked_crc(headers[:, :8]) != _checksum(headers))
    if len(wrong):
        first = int(np.sum(lengths[: wrong[0]] + OVERHEAD))
        raise _no_record(file, first, bytes(headers[0, :2]))
    if fault is not None:
        raise DataError(
            f"{file} was cut short or is damaged: {fault}. Write or copy it again."
        )
    return Scan(lengths, hashlib.sha256(heads + checksums).hexdigest())


def first_record(file: str) -> bytes | None:
    """The data of the first record; None where the file is empty.

    Raises:
      DataError: where the first header is not as it should be.
    """
    size, _ = size_and_time(file)
    if size == 0:
        return None
    with _reader(file, size) as read:
        head = read(0, _HEADER)
        header = np.frombuffer(head.ljust(_HEADER, b"\0"), np.uint8)[None]
        if len(head) < _HEADER or _masked_crc(header[:, :8]) != _checksum(header):
            raise _no_record(file, 0, head[:2])
        (length,) = struct.unpack("<Q", head[:8])
        if length > size - OVERHEAD:
            raise DataError(
                f"{file} was cut short or is damaged: the record at byte 0 claims "
                f"{length:,} bytes, and the file ends after {size:,}. Write or copy it "
                "again."
            )
        return read(_HEADER, length)


def read_record(file: tf.Tensor, offset: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
    """The data of one record, read inside the graph with its checksums verified.

    Args:
      file: the file's name, a scalar string.
      offset: the byte at which the record's header begins, a scalar int64.
      length: bytes of data, a scalar int64: the read takes no more than the record.

    Returns:
      A scalar string.
    """
    # `tf.data.TFRecordDataset` has no argument for where to begin; its op has.
    shape = {"output_types": [tf.string], "output_shapes": [[]]}
    records = tf.raw_ops.TFRecordDatasetV2(
        filenames=file[None],
        compression_type="",
        buffer_size=length + OVERHEAD,
        byte_offsets=offset[None],
    )
    one = tf.raw_ops.TakeDataset(
        input_dataset=records, count=tf.constant(1, tf.int64), **shape
    )
    return tf.raw_ops.DatasetToSingleElement(dataset=one, **shape)[0]


def _no_record(file: str, offset: int, first_bytes: bytes) -> DataError:
    if first_bytes == _GZIP:
        return DataError(
            f"{file} is compressed by gzip, so no record can be read by itself: "
            "gunzip it, or write it without compression."
        )
    if offset == 0:
        return DataError(
            f"{file} cannot be read as TFRecords: at byte 0 there is no record (its "
            "length does not match the checksum of the length). A compressed file "
            "must be unpacked."
        )
    return DataError(
        f"{file} is damaged: at byte {offset:,}, where a record should begin, its "
        "length does not match the checksum of the length. Write or copy it again."
    )


@contextlib.contextmanager
def _reader(file: str, size: int) -> Iterator[Callable[[int, int], bytes]]:
    """Reads (offset, count) to bytes, fewer where the file ends."""
    try:
        if _is_local(file):
            descriptor = os.open(file, os.O_RDONLY)
            try:
                yield lambda offset, count: os.pread(descriptor, count, offset)
            finally:
                os.close(descriptor)
        else:
            with tf.io.gfile.GFile(file, "rb") as opened:
                yield _read_ahead(opened, size)
    except (OSError, tf.errors.OpError) as error:
        raise DataError(f"{file} cannot be read: {reason(error)}") from error


def _read_ahead(opened: tf.io.gfile.GFile, size: int) -> Callable[[int, int], bytes]:
    """Reads from a file in large pieces, for reads at rising offsets."""
    first, chunk = 0, b""

    def read(offset: int, count: int) -> bytes:
        nonlocal first, chunk
        if not first <= offset <= offset + count <= first + len(chunk):
            opened.seek(min(offset, size))
            first, chunk = offset, opened.read(max(count, _REMOTE_CHUNK))
        return chunk[offset - first : offset - first + count]

    return read


def _is_local(file: str) -> bool:
    return "://" not in file


def _checksum(headers: np.ndarray) -> np.ndarray:
    return headers[:, 8:].copy().view("<u4")[:, 0]


def _crc_table() -> np.ndarray:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, table >> 1 ^ np.uint32(0x82F63B78), table >> 1)
    return table


def _masked_crc(rows: np.ndarray) -> np.ndarray:
    """uint32 `[N]`: the masked CRC-32C of each row of uint8 `[N, bytes]`."""
    table = _crc_table()
    crc = np.full(len(rows), 0xFFFFFFFF, np.uint32)
    for column in rows.T:
        crc = table[(crc ^ column) & 0xFF] ^ crc >> 8
    crc = ~crc
    # Mask: rotate right by 15 bits and add a constant, modulo 2^32.
    return (crc >> 15 | crc << 17) + np.uint32(0xA282EAD8)
