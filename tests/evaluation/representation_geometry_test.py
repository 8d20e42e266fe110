"""The geometry of representations whose geometry is known."""

import numpy as np
import pytest

from simclr_tf.errors import UserError
from simclr_tf.evaluation import alignment, geometry


def _sphere(count, width, seed=0):
    return np.random.default_rng(seed).normal(size=[count, width])


def test_an_even_sphere_is_uniform_of_full_rank_and_deviation_one():
    found = geometry(_sphere(2000, 16))
    # Of the uniform distribution on a sphere: t = 2, by its moments.
    directions = _sphere(200_000, 16, seed=1)
    cosines = directions[:, 0] / np.linalg.norm(directions, axis=1)
    expected = np.log(np.mean(np.exp(-4.0 + 4.0 * cosines)))
    assert found.uniformity == pytest.approx(expected, abs=0.01)
    assert found.effective_rank == pytest.approx(16.0, rel=0.01)
    assert found.deviation == pytest.approx(1.0, abs=0.01)
    assert found.collapse == ""


def test_alignment_is_the_mean_squared_distance_of_views():
    """At right angles two units lie the root of two apart, at the opposite two."""
    h = np.array([[3.0, 0.0], [0.0, 2.0]])
    assert alignment(h, h) == 0.0
    assert alignment(h, 5.0 * h[:, ::-1]) == pytest.approx(2.0)
    assert alignment(h, -h) == pytest.approx(4.0)


def test_a_few_directions_and_a_point_are_told():
    line = np.outer(_sphere(500, 1)[:, 0], np.ones(32))
    found = geometry(line)
    assert found.effective_rank == pytest.approx(1.0, abs=0.01)
    assert "about 1.0 of 32 directions" in found.collapse
    point = np.ones([500, 32]) + 1e-3 * _sphere(500, 32)
    found = geometry(point)
    assert found.deviation < 0.01
    assert found.uniformity == pytest.approx(0.0, abs=1e-3)
    assert "nearly the same" in found.collapse
    assert "nearly the same" in geometry(np.zeros([4, 8])).collapse


def test_rank_is_that_of_the_singular_values_entropy():
    """Two directions, one of three quarters of the singular values' sum."""
    h = np.zeros([4, 6])
    h[0, 0], h[1, 1] = 3.0, 1.0
    shares = np.array([0.75, 0.25])
    expected = np.exp(-np.sum(shares * np.log(shares)))
    assert geometry(h).effective_rank == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("h", "other", "told"),
    [
        (np.ones([1, 3]), None, "N at least 2"),
        (np.ones([4, 3, 2]), None, "must be"),
        (np.full([4, 3], np.nan), None, "NaN"),
        (np.ones([4, 3]), np.ones([4, 2]), "the shape of h"),
    ],
)
def test_what_is_no_set_of_representations_is_refused(h, other, told):
    with pytest.raises(UserError, match=told):
        geometry(h) if other is None else alignment(h, other)


def test_few_images_of_many_directions_have_not_collapsed():
    assert geometry(_sphere(3, 2048)).collapse == ""
    assert geometry(_sphere(20, 2048)).collapse == ""
