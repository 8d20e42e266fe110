"""A file to write, local or remote, as libraries that want Python's files need it."""

from __future__ import annotations

import io
from typing import Any

import tensorflow as tf


class Sink(io.RawIOBase):
    """A new file that is written from its beginning to its end, without seeking.

    Args:
      path: of the file, any that `tf.io.gfile` reaches.
    """

    def __init__(self, path: str) -> None:
        self._file = tf.io.gfile.GFile(path, "wb")
        self._written = 0

    def writable(self) -> bool:
        """See `io.IOBase`."""
        return True

    def write(self, contents: Any) -> int:
        """See `io.RawIOBase`; writes all of it."""
        data = bytes(contents)
        self._file.write(data)
        self._written += len(data)
        return len(data)

    def tell(self) -> int:
        """See `io.IOBase`."""
        return self._written

    def close(self) -> None:
        """See `io.IOBase`."""
        if not self.closed:
            self._file.close()
        super().close()
