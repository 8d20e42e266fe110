"""Accuracies class by class, and what a class is taken for."""

import numpy as np
import pytest

from simclr_tf.evaluation import knn, linear_probe, ridge_probe
from simclr_tf.evaluation.confusion import (
    class_accuracies,
    confusion_of,
    describe_classes,
    mean_per_class,
)

_NAMES = ["ant", "bee", "cat", "dog", "eel"]
# Nothing shows an eel.
_COUNTS = np.array(
    [[8, 2, 0, 0, 0], [0, 4, 0, 0, 0], [1, 0, 2, 5, 0], [0, 1, 0, 9, 0], [0] * 5]
)


def test_counts_are_of_true_classes_by_what_they_were_taken_for():
    truth, guesses = np.repeat(np.argwhere(_COUNTS >= 0), _COUNTS.ravel(), axis=0).T
    order = np.random.default_rng(0).permutation(len(truth))
    found = confusion_of(guesses[order], truth[order], 5)
    np.testing.assert_array_equal(found, _COUNTS)


def test_the_mean_per_class_counts_classes_alike():
    np.testing.assert_array_equal(
        class_accuracies(_COUNTS), [0.8, 1.0, 0.25, 0.9, np.nan]
    )
    assert mean_per_class(_COUNTS) == pytest.approx((0.8 + 1.0 + 0.25 + 0.9) / 4)


def test_the_best_and_the_least_classes_are_named():
    assert describe_classes(_COUNTS, _NAMES) == (
        "Best classes: bee 1.00, dog 0.90. Least: cat 0.25 (most often taken for dog), "
        "ant 0.80 (most often taken for bee)."
    )
    one = np.array([[3, 1], [0, 0]])
    assert describe_classes(one, ["a", "b"]) == (
        "Classes: a 0.75 (most often taken for b)."
    )


@pytest.mark.parametrize("classify", [knn, linear_probe, ridge_probe])
@pytest.mark.parametrize("classes", [2, 3])
def test_every_classifier_counts(classify, classes):
    """Rows and columns are those of the labels that there are, gaps or not."""
    generator = np.random.default_rng(1)
    labels = np.array([1, 4, 7])[:classes]
    train_y, test_y = labels[generator.integers(0, classes, [2, 60])]
    h = [np.eye(8)[y] + 0.4 * generator.normal(size=[60, 8]) for y in (train_y, test_y)]
    result = classify(h[0], train_y, h[1], test_y)
    np.testing.assert_array_equal(result.classes, labels)
    examples = [np.sum(test_y == label) for label in labels]
    np.testing.assert_array_equal(result.confusion.sum(axis=1), examples)
    assert np.trace(result.confusion) / 60 == result.top1
    assert result.mean_per_class == mean_per_class(result.confusion)
    assert 0.4 < result.mean_per_class < 1.0
    assert not {"confusion", "classes", "classifier"} & set(result.to_dict())


def test_the_classifier_kept_is_of_the_features_themselves():
    """Standardisation is folded into its weights; its softmax is scikit-learn's."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    generator = np.random.default_rng(2)
    for classes in (2, 4):
        y = generator.integers(0, classes, 200)
        h = 30.0 + 5.0 * (np.eye(6)[y] + generator.normal(size=[200, 6]))
        result = linear_probe(h, y, h, y, regularization=[0.1])
        scaler = StandardScaler().fit(h)
        expected = LogisticRegression(C=0.1, max_iter=1000).fit(scaler.transform(h), y)
        scores = result.classifier.scores(h)
        assert scores.shape == (200, classes)
        exponential = np.exp(scores - scores.max(axis=1, keepdims=True))
        np.testing.assert_allclose(
            exponential / exponential.sum(axis=1, keepdims=True),
            expected.predict_proba(scaler.transform(h)),
            atol=1e-6,
        )
        assert np.mean(scores.argmax(axis=1) == y) == result.top1
