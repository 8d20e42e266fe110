"""Neighbours, likely label errors and near-duplicates are those put there."""

import numpy as np
import pytest

from simclr_tf.evaluation import knn
from simclr_tf.report.neighbours import (
    disagreements,
    near_duplicates,
    nearest,
    similarities,
    spread_queries,
    votes,
)


@pytest.fixture
def grouped():
    """60 features of three directions, and their labels."""
    generator = np.random.default_rng(0)
    labels = np.arange(60) % 3
    centres = np.eye(3, 8)
    features = centres[labels] + 0.1 * generator.normal(size=(60, 8))
    return features.astype(np.float32), labels


def test_neighbours_are_by_cosine_and_never_the_image_itself(grouped):
    features, labels = grouped
    features = features * np.linspace(0.1, 9.0, 60)[:, None]  # Length does not matter.
    order = nearest(similarities(features), 5)
    assert order.shape == (60, 5)
    assert (labels[order] == labels[:, None]).all()
    assert not (order == np.arange(60)[:, None]).any()


def test_votes_are_those_of_the_evaluation(grouped):
    features, labels = grouped
    features += np.random.default_rng(1).normal(size=features.shape) * 0.6
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    shares, _ = votes(unit[40:] @ unit[:40].T, labels[:40], 3)
    expected = knn(features[:40], labels[:40], features[40:], labels[40:], k=20)
    assert np.mean(shares.argmax(1) == labels[40:]) == pytest.approx(expected.top1)


def test_a_wrong_label_is_found(grouped):
    features, labels = grouped
    wrong = labels.copy()
    wrong[7] = (labels[7] + 1) % 3
    (found,) = disagreements(similarities(features), wrong, 3, 12)
    assert (found.place, found.said, found.theirs) == (7, wrong[7], labels[7])
    assert found.share > 0.9
    assert not disagreements(similarities(features), labels, 3, 12)


def test_an_unknown_label_is_no_wrong_one(grouped):
    features, labels = grouped
    unknown = labels.copy()
    unknown[7] = -1
    assert not disagreements(similarities(features), unknown, 3, 12)


def test_duplicates_are_alike_in_features_and_in_pixels(grouped):
    features, _ = grouped
    tiles = np.random.default_rng(2).integers(0, 256, (60, 8, 8, 3), np.uint8)
    features[11], tiles[11] = features[42], np.clip(tiles[42] + 3.0, 0, 255)
    features[5] = features[6]  # Alike for the encoder, other pictures.
    (pair,) = near_duplicates(similarities(features), tiles, 12)
    assert (pair.first, pair.second) == (11, 42)
    assert pair.similarity == pytest.approx(1.0, abs=1e-5)
    assert 0 < pair.difference < 0.02


def test_queries_are_of_as_many_groups_as_possible():
    groups = np.array([0, 0, 0, 1, 1, -1, 2])
    assert spread_queries(groups, 4) == [0, 3, 6, 5]
    assert sorted(spread_queries(groups, 12)) == list(range(7))


def test_features_of_zeros_are_similar_to_nothing():
    assert similarities(np.zeros((3, 4), np.float32))[0].tolist() == [-1.0, 0.0, 0.0]
