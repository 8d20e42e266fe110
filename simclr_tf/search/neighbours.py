"""The most similar features of each query, by cosine, block by block."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

# Rows whose similarities to the queries are held at a time.
_ROWS = 2**14


class Neighbours(NamedTuple):
    """The neighbours of `Q` queries, the most similar first.

    Attributes:
      index: int64 `[Q, k]`, their places.
      similarity: float32 `[Q, k]`, cosines.
    """

    index: np.ndarray
    similarity: np.ndarray


def nearest(
    blocks: Iterable[tuple[np.ndarray, np.ndarray]], queries: np.ndarray, k: int
) -> Neighbours:
    """The k rows of largest cosine for each query, exactly.

    Memory holds the similarities of one block, whatever the number of rows.

    Plain NumPy, since rows are read once for each command: one query among 1,000,000
    rows of 512 took 1.2 CPU seconds and 0.03 GiB beyond the rows, with faiss-cpu 3.5 s
    (0.15 s once its index was made) and 3.8 GiB, with scikit-learn 5.7 s and 2 GiB; see
    `experiments/benchmark/README.md`.

    Args:
      blocks: places, int64 `[n]`, and features, float32 `[n, D]`, of any lengths.
      queries: float32 `[Q, D]`.
      k: 1 or more; where there are fewer rows, all of them are given.

    Returns:
      The neighbours; of equally similar rows the one that came first. A row of zeros
      has similarity 0 to everything.
    """
    queries = unit_rows(queries)
    count = len(queries)
    index = np.zeros([count, 0], np.int64)
    best = Neighbours(index, np.zeros([count, 0], np.float32))
    for places, features in blocks:
        for first in range(0, len(places), _ROWS):
            some = slice(first, first + _ROWS)
            best = _merged(best, places[some], features[some], queries, k)
    return best


def unit_rows(features: np.ndarray) -> np.ndarray:
    """Rows divided by their lengths, float32; rows of zeros stay."""
    features = np.asarray(features, np.float32)
    # Scaled by the largest entry first: the square of a tiny feature is zero.
    largest = np.max(np.abs(features), axis=1, keepdims=True, initial=0.0)
    unit = features / np.where(largest > 0, largest, 1)
    lengths = np.linalg.norm(unit, axis=1, keepdims=True)
    unit /= np.where(lengths > 0, lengths, 1)
    return unit


def _merged(
    best: Neighbours,
    places: np.ndarray,
    features: np.ndarray,
    queries: np.ndarray,
    k: int,
) -> Neighbours:
    """The best of those so far and of one more block."""
    # Dividing the products is cheaper than dividing the rows.
    lengths = np.sqrt(np.einsum("nd,nd->n", features, features))
    if not (np.isfinite(lengths) & (lengths > 1e-18)).all():
        features, lengths = unit_rows(features), np.ones(len(features), np.float32)
    found = queries @ features.T
    found /= lengths
    had, width = best.index.shape[1], found.shape[1]
    if had == k:
        better = found > best.similarity[:, -1:]
    elif width > k:
        better = found >= np.partition(found, -k, axis=1)[:, -k, None]
    else:
        better = np.ones(found.shape, bool)
    query, column = np.nonzero(better)
    if not len(query):
        return best
    query = np.concatenate([np.repeat(np.arange(len(queries)), had), query])
    index = np.concatenate([best.index.ravel(), places[column]])
    similarity = np.concatenate([best.similarity.ravel(), found[better]])
    # A stable sort: of equals the one that came first stays so.
    order = np.lexsort((-similarity, query))
    starts = np.searchsorted(query[order], np.arange(len(queries)))
    kept = order[starts[:, None] + np.arange(min(k, had + width))]
    return Neighbours(index[kept], similarity[kept])
