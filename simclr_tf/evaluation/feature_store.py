"""Features of many images, in memory or in a file that is mapped into it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator

import numpy as np

from simclr_tf.errors import UserError
from simclr_tf.evaluation.blocks import row_blocks

_MOST_IN_MEMORY = 2**30  # bytes


def gather(
    batches: Iterator[tuple[np.ndarray, np.ndarray | None]],
    count: int,
    *,
    progress: Callable[[int], None] | None = None,
    folder: str | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """All features and labels, held once.

    Args:
      batches: of features and labels, see `encode_batches`.
      count: of the examples in all batches.
      progress: called after each batch with the number of examples done so far.
      folder: where a file for more than 1 GB of features is made, which has no name
        and goes with the process; that for temporary files where None.

    Returns:
      (features, labels): float32 `[count, D]`, of a mapped file where they are large,
      and int64 `[count]` or None.

    Raises:
      UserError: there is no room on the disk, or no example.
    """
    features: np.ndarray | None = None
    labels, done = [], 0
    for h, y in batches:
        if features is None:
            features = _room(count, h.shape[1], folder or tempfile.gettempdir())
        features[done : done + len(h)] = h
        done += len(h)
        labels += [] if y is None else [y]
        if progress is not None:
            progress(done)
    if features is None:
        raise UserError("dataset must hold at least one example, got none")
    return features[:done], np.concatenate(labels) if labels else None


def without_rows(rows: np.ndarray, places: np.ndarray) -> np.ndarray:
    """An array `[N, ...]` without some of its rows, which those after them replace.

    Args:
      rows: is changed; no second one is made.
      places: integers, of the rows to leave out.
    """
    keeps = np.ones(len(rows), bool)
    keeps[places] = False
    if keeps.all():
        return rows
    end = 0
    for block in row_blocks(rows):
        kept = rows[block][keeps[block]]  # A copy, so that it may overlap.
        rows[end : end + len(kept)] = kept
        end += len(kept)
    return rows[:end]


def _room(count: int, width: int, folder: str) -> np.ndarray:
    size = count * width * np.dtype(np.float32).itemsize
    if size <= _MOST_IN_MEMORY:
        return np.empty([count, width], np.float32)
    free = shutil.disk_usage(folder).free
    if free < size:
        raise UserError(
            f"The features of {count:,} images take {size / 1e9:.1f} GB, and {folder} "
            f"has {free / 1e9:.1f} GB left: set TMPDIR to a folder with more."
        )
    with tempfile.TemporaryFile(dir=folder) as file:
        # A mapped page that the disk has no room for would end the process.
        os.posix_fallocate(file.fileno(), 0, size)
        return np.memmap(file, np.float32, "r+", shape=(count, width))
