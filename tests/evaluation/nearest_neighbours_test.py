"""kNN agrees with the formula of Wu et al. 2018, written as a loop."""

import importlib

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.evaluation import knn


def by_hand(train_h, train_y, test_h, test_y, k, temperature):
    """Shares of hits at 1 and at 5, one test example after the other."""
    classes = sorted(set(train_y.tolist()))
    hits1 = hits5 = 0
    for query, label in zip(test_h, test_y):
        similarities = [
            float(query @ key / np.linalg.norm(query) / np.linalg.norm(key))
            for key in train_h
        ]
        nearest = sorted(range(len(train_h)), key=lambda i: (-similarities[i], i))[:k]
        votes = {}
        for i in nearest:
            weight = np.exp(similarities[i] / temperature)
            votes[train_y[i]] = votes.get(train_y[i], 0.0) + weight
        ranked = sorted(votes, key=lambda c: (-votes[c], c))
        hits1 += ranked[0] == label
        hits5 += label in ranked[:5]
    top5 = hits5 / len(test_y) if len(classes) >= 5 else None
    return hits1 / len(test_y), top5


def blobs(classes, width, train, test, seed=0):
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(classes, width))

    def draw(count):
        y = generator.integers(0, classes, count)
        return centres[y] + 1.5 * generator.normal(size=(count, width)), y

    return (*draw(train), *draw(test))


@pytest.mark.parametrize("k", [1, 5, 20, 150])
@pytest.mark.parametrize("temperature", [0.01, 0.1, 1.0])
@pytest.mark.parametrize("classes", [3, 12])
def test_agrees_with_a_plain_loop(k, temperature, classes):
    data = blobs(classes, 16, 150, 60)
    result = knn(*data, k=k, temperature=temperature)
    assert (result.top1, result.top5) == by_hand(*data, k, temperature)
    assert result.hyperparameters == {"k": k, "temperature": temperature}


def test_agrees_with_a_plain_loop_in_float32_over_several_blocks(monkeypatch):
    module = importlib.import_module("simclr_tf.evaluation.nearest_neighbours")
    monkeypatch.setattr(module, "_SIMILARITIES_AT_ONCE", 150 * 7)
    train_h, train_y, test_h, test_y = blobs(12, 16, 150, 60)
    result = knn(train_h.astype(np.float32), train_y, test_h.astype(np.float32), test_y)
    assert (result.top1, result.top5) == by_hand(
        train_h, train_y, test_h, test_y, 20, 0.1
    )


def test_only_directions_matter_however_large_or_small():
    train_h, train_y, test_h, test_y = blobs(6, 16, 150, 60)
    scales = np.exp(np.linspace(-40, 40, 150))[:, None]
    straight = knn(train_h, train_y, test_h, test_y)
    scaled = knn(
        (train_h * scales).astype(np.float32), train_y, test_h * 1e-150, test_y
    )
    assert (scaled.top1, scaled.top5) == (straight.top1, straight.top5)


def test_low_temperature_is_the_single_nearest_neighbour():
    data = blobs(6, 16, 150, 60)
    cold, nearest = knn(*data, temperature=1e-6), knn(*data, k=1)
    assert cold.top1 == nearest.top1


def test_the_earlier_of_equal_neighbours_is_taken():
    train_h = np.ones([5, 4], np.float32)
    test_h = np.ones([1, 4], np.float32)
    train_y = np.array([3, 0, 1, 2, 4])
    assert knn(train_h, train_y, test_h, np.array([3]), k=1).top1 == 1.0


def test_the_lower_of_equally_voted_classes_wins():
    h = np.ones([4, 4], np.float32)
    assert knn(h, np.array([2, 1, 2, 1]), h[:1], np.array([1]), k=4).top1 == 1.0


def test_a_class_without_votes_is_not_among_the_top_five():
    h, y = np.eye(8), np.arange(8)
    result = knn(h, y, h, np.roll(y, 1), k=1)
    assert (result.top1, result.top5) == (0.0, 0.0)


def test_rows_of_zeros_are_allowed():
    h = np.concatenate([np.eye(4), np.zeros([1, 4])])
    assert knn(h, np.arange(5) % 4, h, np.arange(5) % 4, k=1).top1 == 1.0


def test_takes_tensors_and_leaves_out_the_unlabelled():
    train_h, train_y, test_h, test_y = blobs(6, 16, 150, 60)
    mixed = np.concatenate([train_h, np.full([10, 16], np.nan)])
    labels = np.concatenate([train_y, np.full(10, -1)])
    result = knn(tf.constant(mixed), tf.constant(labels), test_h, test_y)
    straight = knn(train_h, train_y, test_h, test_y)
    assert (result.top1, result.num_train, result.num_unlabelled) == (
        straight.top1,
        150,
        10,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, "k must be 1 or more, got 0"),
        ({"k": 1, "temperature": 0.0}, "temperature must be finite and above 0, got 0"),
    ],
)
def test_refuses_settings_out_of_range(arguments, message):
    h, y = np.eye(4), np.arange(4)
    with pytest.raises(ValueError, match=message):
        knn(h, y, h, y, **arguments)


def test_fewer_examples_than_k_all_vote_and_it_says_so():
    data = blobs(4, 16, 16, 20)
    result, all_vote = knn(*data), knn(*data, k=16)
    assert result.hyperparameters["k"] == 16
    assert "k was lowered from 20" in str(result)
    assert (result.top1, result.top5) == (all_vote.top1, all_vote.top5)
    assert all_vote.note == ""
