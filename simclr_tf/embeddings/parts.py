"""Features in files, kept as they are made, so that a stopped command goes on."""

from __future__ import annotations

import contextlib
import io
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from simclr_tf import whole_files
from simclr_tf.errors import UserError

_DAMAGE = (ValueError, KeyError, EOFError, zipfile.BadZipFile)


class Part(NamedTuple):
    """Features of images that follow each other in a dataset.

    Attributes:
      first: the place of the first of them.
      features: float32 `[n, D]`.
      labels: int64 `[n]`, -1 where an image has none; None where the dataset has none.
      bad: int64, the places in the dataset of those that cannot be read; their rows
        are of other images.
    """

    first: int
    features: np.ndarray
    labels: np.ndarray | None
    bad: np.ndarray

    @property
    def end(self) -> int:
        """The place after the last image."""
        return self.first + len(self.features)


class Parts:
    """The parts that a folder holds, from the first image on without a gap.

    Each is a file named by its places, written whole. A process that dies loses only
    the part that it had in memory.

    Args:
      folder: local or remote; it is made by the first `append`.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._names: list[str] = []
        self.count = 0
        longest: dict[int, tuple[int, str]] = {}
        for name in _names_in(folder):
            found = re.fullmatch(r"(\d+)-(\d+)\.npz", name)
            if found:
                first, end = int(found[1]), int(found[2])
                longest[first] = max(longest.get(first, (0, "")), (end, name))
        while self.count in longest:
            self.count, name = longest[self.count]
            self._names.append(name)

    def append(self, part: Part) -> None:
        """Keeps the next part.

        Raises:
          WriteError: where it cannot be written.
        """
        if part.first != self.count:
            raise ValueError(f"part must begin at {self.count}, got {part.first}")
        arrays = {"features": part.features, "bad": part.bad}
        if part.labels is not None:
            arrays["labels"] = part.labels
        contents = io.BytesIO()
        np.savez(contents, **arrays)
        name = f"{part.first:012}-{part.end:012}.npz"
        path = os.path.join(self.folder, name)
        with whole_files.write_errors(self.folder):
            tf.io.gfile.makedirs(self.folder)
            whole_files.replace_file(path, contents.getvalue())
        self._names.append(name)
        self.count = part.end

    def __iter__(self) -> Iterator[Part]:
        """The parts in order, one in memory at a time.

        Raises:
          UserError: where one cannot be read.
        """
        first = 0
        for name in self._names:
            part = self._read(name, first)
            yield part
            first = part.end

    def bad(self) -> np.ndarray:
        """Places of all images that cannot be read, int64."""
        bad = [np.zeros(0, np.int64)]
        for name in self._names:
            with self._opened(name) as arrays:
                bad.append(arrays["bad"])
        return np.concatenate(bad)

    def remove(self) -> None:
        """Deletes the folder."""
        with contextlib.suppress(tf.errors.NotFoundError):
            tf.io.gfile.rmtree(self.folder)

    def _read(self, name: str, first: int) -> Part:
        with self._opened(name) as arrays:
            labels = arrays.get("labels")
            return Part(first, arrays["features"], labels, arrays["bad"])

    @contextlib.contextmanager
    def _opened(self, name: str) -> Iterator[Mapping[str, np.ndarray]]:
        """The arrays of a file, each read when it is asked for."""
        path = os.path.join(self.folder, name)
        try:
            with tf.io.gfile.GFile(path, "rb") as file:
                yield np.load(file, allow_pickle=False)
        except (*_DAMAGE, *whole_files.FILE_ERRORS) as error:
            raise UserError(
                f"{path} cannot be read: {whole_files.why(error)}. Delete the folder "
                f"{self.folder} and start the command again."
            ) from error


def _names_in(folder: str) -> list[str]:
    try:
        return sorted(tf.io.gfile.listdir(folder))
    except tf.errors.NotFoundError:
        return []
