"""Neighbours are those of all cosines sorted, whatever the blocks."""

import numpy as np
import pytest

from simclr_tf.search import nearest, neighbours, unit_rows


def features(count, width=6, seed=0):
    return np.random.default_rng(seed).normal(size=[count, width]).astype(np.float32)


def blocks_of(rows, size):
    for first in range(0, len(rows), size):
        some = rows[first : first + size]
        yield np.arange(first, first + len(some)), some


@pytest.mark.parametrize("size", [1, 3, 50, 200])
@pytest.mark.parametrize("k", [1, 7])
def test_they_are_the_largest_cosines(monkeypatch, size, k):
    monkeypatch.setattr(neighbours, "_ROWS", 40)
    rows, queries = features(150), features(9, seed=1)
    # Lengths make no difference.
    scale = np.random.default_rng(2).uniform(0.1, 9, [150, 1]).astype(np.float32)
    found = nearest(blocks_of(rows * scale, size), queries, k)
    cosines = unit_rows(queries) @ unit_rows(rows).T
    order = np.argsort(-cosines, axis=1)[:, :k]
    np.testing.assert_array_equal(found.index, order)
    wanted = np.take_along_axis(cosines, order, axis=1)
    np.testing.assert_allclose(found.similarity, wanted, atol=1e-6)


@pytest.mark.parametrize("size", [2, 100])
def test_of_equals_the_first_is_taken(size):
    rows = np.tile(features(1), [60, 1])
    found = nearest(blocks_of(rows, size), rows[:2], 5)
    np.testing.assert_array_equal(found.index, [[0, 1, 2, 3, 4]] * 2)


def test_of_fewer_rows_all_are_given():
    rows = features(4)
    found = nearest(blocks_of(rows, 3), rows[:1], 9)
    assert sorted(found.index[0]) == [0, 1, 2, 3]
    assert found.index[0, 0] == 0


def test_zero_and_tiny_rows_have_a_cosine():
    rows = features(5)
    rows[1] = 0.0
    rows[2] = rows[0] * 1e-30
    found = nearest([(np.arange(5), rows)], rows[:1], 5)
    similarity = dict(zip(found.index[0], found.similarity[0]))
    assert similarity[1] == 0.0
    assert similarity[2] == pytest.approx(1.0, abs=1e-6)
