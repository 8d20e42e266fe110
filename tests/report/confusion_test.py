"""Confusions count what they say, from a sample or from an evaluation's file."""

import numpy as np
import pytest

from simclr_tf.report.confusion import confusion_of_evaluation, confusion_of_sample
from simclr_tf.report.sample import Sample


def sample(labels, held_out):
    """Features that follow the labels, but for the last image."""
    labels, count = np.asarray(labels), len(labels)
    noise = np.random.default_rng(0).normal(size=(count, 8)) * 0.05
    features = np.eye(2, 8)[np.maximum(labels, 0)] + noise
    features[-1] = np.eye(2, 8)[1 - labels[-1]]
    empty = np.zeros((count, 4, 4, 3), np.uint8)
    names = [f"image {number}" for number in range(count)]
    held = np.asarray(held_out, bool)
    views = np.zeros((1, 3, 4, 4, 3), np.uint8)
    return Sample(
        features, labels, ["cat", "dog"], names, held, empty, 99, views, 3, []
    )


def test_each_image_is_classified_by_all_others():
    found = confusion_of_sample(sample([0, 1] * 15, [False] * 30))
    assert found.counts.tolist() == [[15, 0], [1, 14]]
    assert found.accuracy == pytest.approx(29 / 30)
    assert "leave one out" in found.source
    dog = found.per_class()[1]
    assert dog["recall"] == pytest.approx(14 / 15)
    assert (dog["mistaken"], dog["times"]) == ("cat", 1)
    assert found.per_class()[0]["precision"] == pytest.approx(15 / 16)


def test_held_out_images_are_classified_by_the_others():
    found = confusion_of_sample(sample([0, 1] * 15, [False] * 20 + [True] * 10))
    assert found.counts.tolist() == [[5, 0], [1, 4]]
    assert "10 held-out images" in found.source


def test_unknown_labels_are_left_out():
    found = confusion_of_sample(sample([-1] * 10 + [0, 1] * 10, [False] * 30))
    assert found.counts.sum() == 20


@pytest.mark.parametrize("key", ["confusion", "confusion_matrix"])
def test_the_counts_of_an_evaluation_are_taken(key):
    found = confusion_of_evaluation("linear_eval", {key: [[3, 1], [0, 4]]}, ["a", "b"])
    assert found.accuracy == pytest.approx(7 / 8)
    assert found.classes == ["a", "b"]


@pytest.mark.parametrize("written", [None, [], [[1, 2]], "text", [[1], [2, 3]]])
def test_what_is_no_matrix_is_none(written):
    assert confusion_of_evaluation("knn", {"confusion": written}, ["a"]) is None
