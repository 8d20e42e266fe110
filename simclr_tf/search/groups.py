"""Groups of rows that are nearly alike, found among all pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

_ROWS, _COLUMNS = 2048, 8192
_VERIFIED_AT_ONCE = 2**16
# Products of float32 are off by some 1e-7 each.
_ERROR = 1e-5
_SAMPLE = 1000
# Seconds that a candidate takes beside those of a product, about.
_COST_OF_CANDIDATE = 40.0


class Group(NamedTuple):
    """Rows that hang together by similarities above a threshold.

    Attributes:
      members: int64 `[n]`, the rows, rising; 2 or more.
      similarity: float32 `[n]`, of each to the most similar other one.
    """

    members: np.ndarray
    similarity: np.ndarray


def similar_groups(
    unit: np.ndarray,
    threshold: float,
    progress: Callable[[int], None] = lambda done: None,
) -> list[Group]:
    """All groups of rows, exactly; a row of no group has none as similar.

    Rows are turned onto the principal axes of all, of which the first few hold nearly
    everything. What the rest can add to a cosine is at most the product of the rests'
    lengths (Cauchy and Schwarz), so that short vectors, the first few coordinates and
    the length of the rest, tell which pairs are worth a whole product.

    30,000 rows of 512 took 3 CPU seconds; comparing all whole rows takes ten times as
    long (`experiments/benchmark/README.md`). Time grows with the square of the rows.

    Args:
      unit: float32 `[N, D]`, rows of length 1, or 0; see `unit_rows`. It is changed.
      threshold: the least cosine of a pair, in (0, 1].
      progress: called with the number of rows that are done.

    Returns:
      Groups, those with the most similar pair first.
    """
    count = len(unit)
    best = np.zeros(count, np.float32)
    component = np.arange(count)
    _turn(unit)
    short = _shortened(unit, threshold)
    for rows, columns in _candidates(short, threshold - _ERROR, progress):
        for first in range(0, len(rows), _VERIFIED_AT_ONCE):
            some = slice(first, first + _VERIFIED_AT_ONCE)
            one, other = rows[some], columns[some]
            cosine = np.einsum("nd,nd->n", unit[one], unit[other])
            alike = cosine >= threshold - _ERROR
            one, other, cosine = one[alike], other[alike], cosine[alike]
            np.maximum.at(best, one, cosine)
            np.maximum.at(best, other, cosine)
            component = _joined(component, one, other)
    return _groups(component, best)


def _turn(unit: np.ndarray) -> None:
    """Turns rows onto their principal axes, the largest first, in place."""
    moment = unit.T @ unit
    axes = np.linalg.eigh(moment.astype(np.float64))[1][:, ::-1].astype(np.float32)
    for first in range(0, len(unit), _COLUMNS):
        some = slice(first, first + _COLUMNS)
        unit[some] = unit[some] @ axes


def _shortened(unit: np.ndarray, threshold: float) -> np.ndarray:
    """The first coordinates of each row and the length of the rest, float32.

    As many as are cheapest, by a sample of pairs.
    """
    width = unit.shape[1]
    pick = np.random.default_rng(0).permutation(len(unit))[:_SAMPLE]
    sample = unit[pick]
    pairs = max(len(pick) * (len(pick) - 1), 1)
    costs = {}
    for first in (8, 16, 32, 64, 128, 256):
        if first < width:
            short = _cut(sample, first)
            bound = short @ short.T
            np.fill_diagonal(bound, 0.0)
            share = np.count_nonzero(bound >= threshold - _ERROR) / pairs
            costs[first] = first + 1 + share * width * _COST_OF_CANDIDATE
    costs[width] = width
    cheapest = min(costs, key=lambda first: costs[first])
    return unit if cheapest == width else _cut(unit, cheapest)


def _cut(unit: np.ndarray, first: int) -> np.ndarray:
    rest = np.linalg.norm(unit[:, first:], axis=1, keepdims=True)
    return np.concatenate([unit[:, :first], rest], axis=1)


def _candidates(
    short: np.ndarray, least: float, progress: Callable[[int], None]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of rows whose short vectors' product is large enough, each pair once."""
    count = len(short)
    for top in range(0, count, _ROWS):
        rows = short[top : top + _ROWS]
        for left in range(top, count, _COLUMNS):
            columns = short[left : left + _COLUMNS]
            products = rows @ columns.T
            found = np.flatnonzero(products.ravel() >= least)
            one, other = np.divmod(found, len(columns))
            one, other = one + top, other + left
            later = other > one
            if later.any():
                yield one[later], other[later]
        progress(min(top + _ROWS, count))


def _joined(component: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The components once these pairs are joined too; numbers from 0."""
    one, other = component[one], component[other]
    apart = one != other
    if not apart.any():
        return component
    pairs = (np.ones(np.count_nonzero(apart), bool), (one[apart], other[apart]))
    count = int(component.max()) + 1
    numbers = connected_components(coo_matrix(pairs, (count, count)), directed=False)[1]
    return numbers[component]


def _groups(component: np.ndarray, best: np.ndarray) -> list[Group]:
    order = np.argsort(component, kind="stable")
    ends = np.flatnonzero(np.diff(component[order])) + 1
    groups = [
        Group(members, best[members])
        for members in np.split(order, ends)
        if len(members) > 1
    ]
    return sorted(groups, key=lambda group: (-group.similarity.max(), group.members[0]))
