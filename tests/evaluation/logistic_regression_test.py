"""The linear probe is logistic regression, chosen without the test set."""

import warnings

import numpy as np
import pytest
import tensorflow as tf
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from simclr_tf.evaluation import linear_probe, logistic_regression


@pytest.fixture(scope="module")
def features(images_npz):
    """Pixels of images at 4 x 4: small, neither easy nor hopeless."""
    with np.load(images_npz) as file:
        data = {name: file[name] for name in file.files}

    def small(images):
        shape = (len(images), 4, 8, 4, 8, 3)
        return images.reshape(shape).mean(axis=(2, 4)).reshape(len(images), -1)

    return (
        small(data["x_train"][:2000]).astype(np.float32),
        data["y_train"][:2000],
        small(data["x_test"][:1000]).astype(np.float32),
        data["y_test"][:1000],
    )


def test_is_scikit_learns_fit_on_standardised_features(features):
    train_h, train_y, test_h, test_y = features
    result = linear_probe(*features, regularization=[0.01])
    scaler = StandardScaler().fit(train_h.astype(np.float64))
    classifier = LogisticRegression(C=0.01, max_iter=1000)
    classifier.fit(scaler.transform(train_h.astype(np.float64)), train_y)
    scores = classifier.decision_function(scaler.transform(test_h.astype(np.float64)))
    assert result.top1 == np.mean(scores.argmax(axis=1) == test_y)
    best = np.argsort(-scores, axis=1)[:, :5]
    assert result.top5 == np.mean((best == test_y[:, None]).any(axis=1))
    assert result.hyperparameters == {"C": 0.01}
    assert (result.num_train, result.num_test, result.num_classes) == (2000, 1000, 10)
    assert result.converged
    assert result.top1 > 0.25


def test_penalty_is_the_one_that_a_held_out_share_of_training_prefers(features):
    chosen = linear_probe(*features).hyperparameters["C"]
    each = {c: linear_probe(*features, regularization=[c]).top1 for c in (1e-4, chosen)}
    assert each[chosen] > each[1e-4]


@pytest.mark.parametrize("noise", [0.0, 3.5])
def test_few_examples_choose_a_penalty_that_serves(features, noise):
    """As good as the best one for all draws; a fifth of a hundred tells too little.

    Pixels want a weak penalty, centres of classes in noise a strong one.
    """
    strengths, found, chosen = (1e-4, 1e-3, 1e-2, 1e-1, 1.0), [], []
    for seed in range(8):
        data = _few_of(features, seed) if noise == 0.0 else _centres(seed, noise)
        alone = [linear_probe(*data, regularization=[c]).top1 for c in strengths]
        picked = linear_probe(*data, seed=seed).hyperparameters["C"]
        found.append(alone)
        chosen.append(alone[strengths.index(picked)])
    assert np.mean(chosen) > np.mean(found, axis=0).max() - 0.01


def _few_of(features, seed):
    train_h, train_y, test_h, test_y = features
    generator = np.random.default_rng(seed)
    members = [np.flatnonzero(train_y == label) for label in range(10)]
    some = np.concatenate([generator.choice(each, 10, False) for each in members])
    return train_h[some], train_y[some], test_h, test_y


def _centres(seed, noise):
    centres = np.random.default_rng(9).normal(size=[10, 64])
    generator = np.random.default_rng(seed)
    train_y, test_y = np.repeat(np.arange(10), 10), np.repeat(np.arange(10), 50)
    train_h, test_h = (
        centres[y] + noise * generator.normal(size=[len(y), 64])
        for y in (train_y, test_y)
    )
    return train_h, train_y, test_h, test_y


@pytest.mark.parametrize(("share", "parts"), [(0.2, 5), (0.5, 2), (0.9, 2)])
def test_each_example_is_held_out_once_and_never_all_of_its_class(share, parts):
    labels = np.repeat([0, 1, 2, 3], [1, 2, 7, 23])
    held_out = logistic_regression._folds(labels, share, 0)
    assert len(held_out) == parts
    np.testing.assert_array_equal(np.sum(held_out, axis=0), labels > 0)
    for part in held_out:
        assert set(labels[~part]) == {0, 1, 2, 3}


def test_test_labels_have_no_part_in_the_choice(features):
    train_h, train_y, test_h, test_y = features
    permuted = np.random.default_rng(0).permutation(test_y)
    straight = linear_probe(*features)
    shuffled = linear_probe(train_h, train_y, test_h, permuted)
    assert shuffled.hyperparameters == straight.hyperparameters
    assert shuffled.top1 < straight.top1


def test_a_penalty_gives_the_same_whatever_else_was_tried(features):
    chosen = linear_probe(*features)
    alone = linear_probe(*features, regularization=[chosen.hyperparameters["C"]])
    assert (alone.top1, alone.top5) == (chosen.top1, chosen.top5)


def test_scale_and_offset_of_features_do_not_matter(features):
    train_h, train_y, test_h, test_y = features
    moved = linear_probe(
        50 * train_h + 7, train_y, 50 * test_h + 7, test_y, regularization=[0.1]
    )
    straight = linear_probe(*features, regularization=[0.1])
    assert moved.top1 == pytest.approx(straight.top1, abs=0.003)


def test_two_classes_constant_features_tensors_and_unlabelled_examples():
    generator = np.random.default_rng(1)
    y = np.arange(80) % 2
    h = np.stack([y + 0.1 * generator.normal(size=80), np.ones(80)], axis=1)
    y[::10] = -1
    result = linear_probe(
        tf.constant(h, tf.float32), tf.constant(y), h[:40], y[:40].astype(np.int32)
    )
    assert result.top1 == 1.0
    assert result.top5 is None
    assert result.num_unlabelled == 12
    assert (result.num_train, result.num_test) == (72, 36)


def test_a_class_of_one_example_is_trained_on():
    h = np.concatenate([np.eye(3)] * 4)[:10]
    y = np.arange(10) % 3
    y[0] = 3
    h[0] = [1, 1, 1]
    result = linear_probe(h, y, h, y, regularization=[1.0, 1000.0])
    assert result.top1 == 1.0


def test_says_so_when_the_solver_stops_early_and_warns_of_nothing(features):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = linear_probe(*features, regularization=[1.0], max_iter=2)
    assert result.converged is False
    assert "did not converge" in str(result)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"regularization": []}, "regularization must be one or more"),
        ({"regularization": [1.0, -0.1]}, "regularization must be .*-0.1"),
        ({"validation_share": 1.0}, "validation_share must be between 0 and 1, got 1"),
        ({"max_iter": 0}, "max_iter must be 1 or more, got 0"),
    ],
)
def test_refuses_settings_out_of_range(arguments, message):
    h, y = np.eye(4), np.arange(4)
    with pytest.raises(ValueError, match=message):
        linear_probe(h, y, h, y, **arguments)


def test_one_example_a_class_takes_the_strongest_penalty_and_says_so():
    result = linear_probe(np.eye(4), np.arange(4), np.eye(4), np.arange(4))
    assert (result.top1, result.hyperparameters) == (1.0, {"C": 1e-4})
    assert "no class has two training examples" in str(result)
    assert not linear_probe(np.eye(4), [0, 0, 1, 1], np.eye(4), [0, 0, 1, 1]).note


def test_the_features_it_was_given_stay_as_they_are(features):
    before = [np.copy(array) for array in features]
    linear_probe(*features, regularization=[0.1, 1.0])
    wide = [features[0].astype(np.float64), features[1], *features[2:]]
    kept = wide[0].copy()
    linear_probe(*wide, regularization=[0.1, 1.0])
    np.testing.assert_array_equal(wide[0], kept)
    for array, copy in zip(features, before):
        np.testing.assert_array_equal(array, copy)
