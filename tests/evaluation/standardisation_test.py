"""Features are standardised as scikit-learn does it, read block by block."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from simclr_tf.evaluation import blocks
from simclr_tf.evaluation.standardisation import mean_and_scale


@pytest.mark.parametrize("elements", [2**10, 2**23])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_it_is_scikit_learns(monkeypatch, elements, dtype):
    """Of features far from 0, of many scales; a constant one has scale 1."""
    monkeypatch.setattr(blocks, "_ELEMENTS", elements)
    h = np.random.default_rng(0).normal(3.0, 1.0, [10_007, 8])
    h = (h * np.geomspace(0.01, 10, 8)).astype(dtype)
    h[:, 5] = 0.7
    kept = np.arange(len(h)) % 3 != 1
    for rows in (None, kept):
        mean, scale = mean_and_scale(h, rows)
        some = h if rows is None else h[rows]
        expected = StandardScaler().fit(some.astype(np.float64))
        np.testing.assert_allclose(mean, expected.mean_, rtol=1e-12)
        np.testing.assert_allclose(scale, expected.scale_, rtol=1e-12)
        assert scale[5] == 1.0
