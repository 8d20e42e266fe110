"""The arrays of a NumPy .npz file, read block by block.

`numpy.load` holds an array in memory twice, trusts the size in its header, and returns
the bytes of a member that is not an array. This module compares the header with the
size of the member before it allocates memory.
"""

from __future__ import annotations

import math
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import IO, NamedTuple

import numpy as np
import tensorflow as tf

from simclr_tf.data.regular_files import irregularity
from simclr_tf.data.source import DataError, reason

_DAMAGE = (
    *(ValueError, OSError, EOFError, RuntimeError, NotImplementedError, struct.error),
    *(zipfile.BadZipFile, zlib.error, tf.errors.OpError),
)
_BLOCK = 2**24  # bytes read at a time
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what NumPy writes


class Header(NamedTuple):
    """Shape, order and dtype of an array, from the header of its member."""

    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype

    @property
    def size(self) -> int:
        """Bytes of the array."""
        return math.prod(self.shape) * self.dtype.itemsize


class NpzFile:
    """An open .npz file, a context manager.

    Args:
      path: the file, local or remote.

    Raises:
      DataError: where there is no such file, or it is none.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = _open(path)
        try:
            self._zip = zipfile.ZipFile(self._file)
        except _DAMAGE as error:
            self._file.close()
            raise DataError(
                f"{path} is not a readable .npz file: {_why_no_zip(error)}"
            ) from error
        self._members = {
            info.filename[: -len(".npy")]
            if info.filename.endswith(".npy")
            else info.filename: info
            for info in self._zip.infolist()
        }

    def __enter__(self) -> NpzFile:
        return self

    def __exit__(self, *error: object) -> None:
        self._zip.close()
        self._file.close()

    @property
    def names(self) -> Mapping[str, str]:
        """The arrays' names in lower case, each with its name in the file."""
        return {name.lower(): name for name in self._members}

    def where(self, name: str) -> str:
        """The file and the array, for messages."""
        return f"{self.path}, array {name}"

    def identity(self, name: str) -> str:
        """The array's name, size and the checksum that the file holds of it."""
        info = self._members[name]
        return f"{name} {info.file_size} {info.CRC:08x}"

    def header(self, name: str) -> Header:
        """Shape, order and dtype of an array.

        Raises:
          DataError: where it is damaged, no array of numbers or strings, or of
            another size than its header claims.
        """
        with self._member(name) as member:
            return self._read_header(name, member)

    def array(self, name: str) -> np.ndarray:
        """A whole array, in C order.

        Raises:
          DataError: see `header`.
        """
        header = self.header(name)
        array = np.empty(header.shape or (1,), header.dtype)
        for index, block in self.blocks(name):
            array[index] = block
        return array.reshape(header.shape)

    def blocks(self, name: str) -> Iterator[tuple[tuple, np.ndarray]]:
        """Parts of an array, some megabytes each; a scalar counts as an array of one.

        Returns:
          Pairs of the part's index in the array, and the part.

        Raises:
          DataError: see `header`.
        """
        with self._member(name) as member:
            header = self._read_header(name, member)
            # Fortran's order is C's order of the reversed axes.
            shape = header.shape or (1,)
            shape = shape[::-1] if header.fortran_order else shape
            axes = len(shape)  # that one block spans, the last ones
            while axes > 1 and _size(shape[-axes:], header) > _BLOCK:
                axes -= 1
            row = shape[len(shape) - axes + 1 :]
            rows = max(1, _BLOCK // max(_size(row, header), 1))
            for outer in np.ndindex(*shape[:-axes]):
                for first in range(0, shape[-axes], rows):
                    inner = slice(first, min(first + rows, shape[-axes]))
                    part = (inner.stop - first, *row)
                    contents = self._read(name, member, _size(part, header))
                    block = np.frombuffer(contents, header.dtype).reshape(part)
                    if header.fortran_order:
                        rest = (slice(None),) * (axes - 1)
                        yield (*rest, inner, *outer[::-1]), block.T
                    else:
                        yield (*outer, inner), block
            # The checksum is compared at the end of the member.
            self._read(name, member, 0)

    def _member(self, name: str) -> IO[bytes]:
        info = self._members[name]
        if info.compress_type not in _METHODS:
            raise DataError(
                f"{self.where(name)}: is compressed by a method that NumPy does not "
                "write. Store it by np.savez or np.savez_compressed."
            )
        try:
            return self._zip.open(info)
        except _DAMAGE as error:
            raise self._damaged(name, error) from error

    def _read_header(self, name: str, member: IO[bytes]) -> Header:
        where = self.where(name)
        try:
            version = np.lib.format.read_magic(member)
            read = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            header = Header(*read(member))
        except KeyError as error:
            raise DataError(f"{where}: must hold numbers or strings.") from error
        # A header is a Python literal, and a damaged one fails in any way.
        except Exception as error:
            raise self._damaged(name, error) from error
        kind = header.dtype
        if kind.hasobject or kind.names or kind.shape or not kind.itemsize:
            raise DataError(
                f"{where}: cannot be read: must hold numbers or strings, got "
                f"{header.dtype}."
            )
        size = self._members[name].file_size - member.tell()
        if min(header.shape, default=1) < 0 or header.size != size:
            raise DataError(
                f"{where}: cannot be read: its header claims {header.dtype} of shape "
                f"{header.shape}, {header.size:,} bytes, and it holds {size:,}."
            )
        memory = _memory()
        if header.size > memory:
            raise DataError(
                f"{where}: is of {header.size / 2**30:,.1f} GiB and this machine has "
                f"{memory / 2**30:,.1f} GiB of memory. Store the images as files in a "
                "folder, or as TFRecords."
            )
        return header

    def _read(self, name: str, member: IO[bytes], size: int) -> bytes:
        """So many bytes; with 0, checks that nothing is left."""
        try:
            contents = member.read(size or 1)
        except _DAMAGE as error:
            raise self._damaged(name, error) from error
        if len(contents) != size:
            raise self._damaged(name, EOFError("it ends early."))
        return contents

    def _damaged(self, name: str, error: Exception) -> DataError:
        return DataError(f"{self.where(name)}: cannot be read: {reason(error)}")


def _why_no_zip(error: Exception) -> str:
    # What Python says of short files and of long ones.
    if "negative" in str(error) or "not a zip file" in str(error):
        return "it does not end as one, so it is of another kind or was cut short."
    return reason(error)


def _open(path: str) -> tf.io.gfile.GFile:
    if not tf.io.gfile.exists(path):
        raise DataError(f"{path} does not exist.")
    fault = irregularity(path)
    if fault:
        raise DataError(f"{path} is {fault}, not an .npz file.")
    file = tf.io.gfile.GFile(path, "rb")
    try:
        start = file.read(6)
        file.seek(0)
    except tf.errors.OpError as error:
        raise DataError(f"{path} cannot be read: {reason(error)}") from error
    if start == np.lib.format.MAGIC_PREFIX:
        raise DataError(
            f"{path} is a single array, not an .npz file: store it by "
            "np.savez(path, images=array)."
        )
    return file


def _size(shape: tuple[int, ...], header: Header) -> int:
    return math.prod(shape) * header.dtype.itemsize


def _memory() -> int:
    """Bytes of memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
