"""The ridge probe is as good as logistic regression, within what its page says."""

import tracemalloc

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifierCV
from sklearn.preprocessing import StandardScaler

from simclr_tf.errors import UserError
from simclr_tf.evaluation import blocks, linear_probe, ridge_probe


def _features(count, width=64, classes=10, seed=0):
    """Classes about centres that overlap."""
    generator = np.random.default_rng(seed)
    centres = np.random.default_rng(9).normal(size=[classes, width])
    labels = generator.integers(0, classes, count)
    return centres[labels] + 3.0 * generator.normal(size=[count, width]), labels


def test_accuracy_is_within_two_points_of_logistic_regression():
    train, test = _features(2000), _features(2000, seed=1)
    quick, slow = ridge_probe(*train, *test), linear_probe(*train, *test)
    assert 0.5 < slow.top1 < 0.95
    assert abs(quick.top1 - slow.top1) < 0.02
    assert abs(quick.top5 - slow.top5) < 0.02


@pytest.mark.parametrize(("count", "classes"), [(400, 5), (60, 3)])
def test_it_is_scikit_learns_ridge_with_examples_left_out_one_by_one(count, classes):
    (h, y), (test_h, test_y) = (_features(count, 80, classes, s) for s in (0, 1))
    scaler = StandardScaler().fit(h)
    expected = RidgeClassifierCV(alphas=[1.0, 10.0, 100.0, 1000.0, 10000.0])
    expected.fit(scaler.transform(h), y)
    found = ridge_probe(h, y, test_h, test_y)
    assert found.hyperparameters["penalty"] == expected.alpha_
    assert found.top1 == expected.score(scaler.transform(test_h), test_y)


def test_the_penalty_is_chosen_on_left_out_examples():
    """Of noise, the strongest; where examples abound, a weak one will do."""
    generator = np.random.default_rng(0)
    noise = generator.normal(size=[100, 80]), generator.integers(0, 2, 100)
    assert ridge_probe(*noise, *noise).hyperparameters["penalty"] == 10000.0
    clear = _features(2000, width=8, classes=2)
    assert ridge_probe(*clear, *clear).hyperparameters["penalty"] < 10000.0


def test_two_classes_and_unlabelled_examples():
    h = np.array([[0.0, 1.0], [0.1, 0.9], [5.0, 1.0], [5.2, 1.1], [9.0, 9.0]])
    found = ridge_probe(h, [4, 4, 7, 7, -1], h, [4, 4, 7, 7, -1])
    assert found.top1 == 1.0
    assert found.top5 is None
    assert (found.num_classes, found.num_train, found.num_unlabelled) == (2, 4, 2)


@pytest.mark.parametrize("penalties", [(), (0.0,), (np.inf,), (-1.0, 1.0)])
def test_penalties_out_of_range_are_refused(penalties):
    data = _features(20)
    with pytest.raises(UserError, match="finite numbers above 0"):
        ridge_probe(*data, *data, penalties=penalties)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_block_by_block_it_is_the_same_and_makes_no_copy(monkeypatch, dtype):
    """The last block is smaller than the others; one feature is constant."""
    (h, y), test = _features(10_007), _features(50, seed=1)
    h[:, 3] = 0.7
    h = h.astype(dtype)
    whole = ridge_probe(h, y, *test)
    monkeypatch.setattr(blocks, "_ELEMENTS", 2**14)
    tracemalloc.start()
    found = ridge_probe(h, y, *test)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < h.nbytes / 2
    assert found.hyperparameters == whole.hyperparameters
    np.testing.assert_array_equal(found.hits, whole.hits)
