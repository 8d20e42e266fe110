"""Logistic regression block by block is that of all rows at once."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from simclr_tf.evaluation import blocks, linear_probe
from simclr_tf.evaluation.blockwise_regression import BlockwiseRegression


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    """A block of a few dozen rows, so that there are many and the last is smaller."""
    monkeypatch.setattr(blocks, "_ELEMENTS", 1_000)


def _data(classes, dtype, rows=400, width=24):
    """Features far from 0, of many scales, one of them constant."""
    generator = np.random.default_rng(classes)
    y = generator.integers(0, classes, rows)
    h = np.eye(width)[y] + generator.normal(size=[rows, width])
    h = h * np.geomspace(0.1, 10, width) + 3.0
    h[:, 5] = 0.7
    return h.astype(dtype), y


def _probabilities(scores):
    exponential = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponential / exponential.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize(("dtype", "atol"), [(np.float64, 1e-6), (np.float32, 1e-4)])
def test_it_is_scikit_learns_of_the_rows_kept(tmp_path, classes, dtype, atol):
    """In a memory-mapped file, some of whose rows are held out."""
    h, y = _data(classes, dtype)
    kept = np.random.default_rng(0).uniform(size=400) < 0.8
    mapped = np.memmap(tmp_path / "h", dtype, "w+", shape=h.shape)
    mapped[:] = h
    tolerance = 1e-8 if dtype == np.float64 else 1e-5
    regression = BlockwiseRegression(mapped, y, classes)
    classifier, converged = regression.fit(kept, 0.1, 1000, tolerance=tolerance)
    assert converged
    scaler = StandardScaler().fit(h[kept].astype(np.float64))
    expected = LogisticRegression(C=0.1, max_iter=1000, tol=1e-8)
    expected.fit(scaler.transform(h[kept].astype(np.float64)), y[kept])
    np.testing.assert_allclose(
        _probabilities(classifier.scores(h)),
        expected.predict_proba(scaler.transform(h.astype(np.float64))),
        rtol=0,
        atol=atol,
    )


def test_the_probe_chooses_and_scores_alike_either_way():
    h, y = _data(5, np.float32)
    results = [
        linear_probe(h[:300], y[:300], h[300:], y[300:], in_blocks=each)
        for each in (True, False)
    ]
    in_blocks, at_once = results
    assert in_blocks.hyperparameters == at_once.hyperparameters
    assert in_blocks.converged
    assert in_blocks.top1 == pytest.approx(at_once.top1, abs=0.011)
    for each in results:
        scores = each.classifier.scores(h[300:])
        assert np.mean(scores.argmax(axis=1) == y[300:]) == each.top1
    np.testing.assert_allclose(
        *(_probabilities(each.classifier.scores(h)) for each in results), atol=0.01
    )


def test_a_solver_that_is_stopped_says_so():
    h, y = _data(3, np.float32)
    result = linear_probe(h, y, h, y, regularization=[1.0], max_iter=2, in_blocks=True)
    assert result.converged is False
