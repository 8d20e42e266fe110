"""Rows of an array that may not fit in memory, some at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_ELEMENTS = 2**23  # of a block: 32 MB in float32


def row_blocks(rows: np.ndarray) -> Iterator[slice]:
    """Slices of an array `[N, ...]` that follow one another, of some 32 MB each."""
    width = max(int(np.prod(rows.shape[1:])), 1)
    count = max(_ELEMENTS // width, 1)
    for begin in range(0, len(rows), count):
        yield slice(begin, min(begin + count, len(rows)))
