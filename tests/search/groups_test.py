"""Groups are those of all pairs compared, whatever the spectrum of the rows."""

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components

from simclr_tf.search import groups, similar_groups, unit_rows


def rows_with_copies(count, width, falling, seed=0):
    """Rows with so steep a spectrum; some are copies with more or less noise."""
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=[count, width]) * np.arange(1, width + 1.0) ** -falling
    rows += 0.3 * rows.std()
    for noise in (0.0, 0.05, 0.2, 0.4):
        one, other = generator.permutation(count)[:20].reshape(2, -1)
        scale = noise * rows[one].std(axis=1, keepdims=True)
        rows[other] = rows[one] + scale * generator.normal(size=[10, width])
    return unit_rows(rows)


def by_all_pairs(unit, threshold):
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, 0.0)
    numbers = connected_components(cosine >= threshold, directed=False)[1]
    members = [np.flatnonzero(numbers == number) for number in np.unique(numbers)]
    best = cosine.max(axis=1)
    return {tuple(m): best[m] for m in members if len(m) > 1}


@pytest.mark.parametrize("falling", [0.0, 0.5, 1.5])
@pytest.mark.parametrize("threshold", [0.9, 0.99])
def test_they_are_those_of_all_pairs(monkeypatch, falling, threshold):
    for name, value in {"_ROWS": 32, "_COLUMNS": 100, "_VERIFIED_AT_ONCE": 7}.items():
        monkeypatch.setattr(groups, name, value)
    unit = rows_with_copies(301, 48, falling)
    wanted = by_all_pairs(unit, threshold)
    done = []
    found = similar_groups(unit.copy(), threshold, done.append)
    assert {tuple(group.members) for group in found} == set(wanted)
    assert len(found) >= 5
    for group in found:
        best = wanted[tuple(group.members)]
        np.testing.assert_allclose(group.similarity, best, atol=2e-6)
    heights = [group.similarity.max() for group in found]
    assert heights == sorted(heights, reverse=True)
    assert done[-1] == 301


def test_short_vectors_are_taken_where_they_pay():
    """Where many pairs are alike each of them is a whole product anyway."""
    unit, alike = (rows_with_copies(1000, 64, falling) for falling in (1.0, 1.5))
    for rows in (unit, alike):
        groups._turn(rows)
    short = groups._shortened(unit, 0.95)
    assert short.shape[1] < 20
    # Their product is above each cosine.
    assert (short @ short.T >= unit @ unit.T - 1e-5).all()
    assert groups._shortened(alike, 0.95) is alike


def test_all_alike_is_one_group_in_little_memory(monkeypatch):
    unit = unit_rows(np.ones([3000, 8], np.float32))
    (group,) = similar_groups(unit, 0.999)
    assert len(group.members) == 3000


def test_none_alike_is_no_group():
    assert similar_groups(np.eye(12, dtype=np.float32), 0.5) == []
