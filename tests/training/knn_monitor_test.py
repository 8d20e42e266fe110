"""kNN while training is kNN on a sample, and no dataset makes it fail."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.data import load
from simclr_tf.evaluation import knn
from simclr_tf.training import knn_monitor
from simclr_tf.training.knn_monitor import KnnMonitor


def _pixels(images):
    return tf.reshape(images, [tf.shape(images)[0], -1])


def _monitor(path, bank, queries):
    (bank_images, bank_labels), (images, labels) = bank, queries
    arrays = {"x_train": bank_images, "x_test": images}
    if bank_labels is not None:
        arrays["y_train"] = bank_labels
    if labels is not None:
        arrays["y_test"] = labels
    np.savez(path, **arrays)
    splits = (load(f"npz:{path}", split) for split in ("train", "test"))
    return KnnMonitor(*splits, 8)


def _noise(count):
    return np.random.default_rng(count).integers(0, 256, [count, 8, 8, 3], np.uint8)


def test_of_small_datasets_it_is_knn_on_all_images(images_npz, tmp_path):
    with np.load(images_npz) as arrays:
        train = arrays["x_train"][:300, ::4, ::4], arrays["y_train"][:300]
        test = arrays["x_test"][:120, ::4, ::4], arrays["y_test"][:120]
    monitor = _monitor(tmp_path / "images.npz", train, test)
    features = [part[0].reshape(len(part[0]), -1) / 255.0 for part in (train, test)]
    expected = knn(features[0], train[1], features[1], test[1], k=20).top1
    assert 0.1 < expected < 1.0
    ((name, accuracy),) = monitor.run(_pixels)
    assert name == "knn_accuracy"
    assert accuracy == pytest.approx(expected)


def test_of_large_datasets_it_takes_the_same_sample_each_time(monkeypatch, tmp_path):
    monkeypatch.setattr(knn_monitor, "BANK_SIZE", 60)
    monkeypatch.setattr(knn_monitor, "QUERIES", 40)
    seen = []

    def recorded(images):
        tf.py_function(lambda x: seen.append(x.numpy()), [images], [])
        return _pixels(images)

    images, labels = _noise(300), np.arange(300) % 3
    for _ in range(2):
        monitor = _monitor(tmp_path / "a.npz", (images, labels), (images, labels))
        list(monitor.run(recorded))
    assert [len(batch) for batch in seen] == [60, 40] * 2
    for first, second in zip(seen[:2], seen[2:]):
        np.testing.assert_array_equal(first, second)


def test_a_bank_of_fewer_images_than_neighbours_is_enough(tmp_path):
    images, labels = _noise(6), np.array([0, 1, 0, 1, 0, 1])
    monitor = _monitor(tmp_path / "a.npz", (images, labels), (images, labels))
    ((_, accuracy),) = monitor.run(_pixels)
    assert 0.5 <= accuracy <= 1.0


def test_a_query_of_a_class_that_the_bank_lacks_is_never_right(tmp_path):
    images = np.repeat(np.array([0, 255], np.uint8), 30)[:, None, None, None]
    images = np.broadcast_to(images, [60, 8, 8, 3]).copy()
    images[:, 0, 0] = [100, 0, 0]
    labels = np.repeat([0, 1], 30)
    unseen = np.where(np.arange(60) % 3 == 0, 7, labels)
    monitor = _monitor(tmp_path / "a.npz", (images, labels), (images, unseen))
    ((_, accuracy),) = monitor.run(_pixels)
    assert accuracy == pytest.approx(2 / 3)


def test_unlabelled_images_neither_vote_nor_count(tmp_path):
    images, labels = _noise(60), np.arange(60) % 2
    known = np.arange(60) < 10
    some = images, np.where(known, labels, -1)
    ((_, accuracy),) = _monitor(tmp_path / "a.npz", some, some).run(_pixels)
    few = images[known], labels[known]
    ((_, expected),) = _monitor(tmp_path / "b.npz", few, few).run(_pixels)
    assert accuracy == pytest.approx(expected)


@pytest.mark.parametrize(
    ("bank", "queries"),
    [(np.zeros(30, int), np.zeros(30, int)), (np.arange(30) % 2, None)],
    ids=["one class", "unlabelled queries"],
)
def test_nothing_is_claimed_where_nothing_can_be_measured(tmp_path, bank, queries):
    monitor = _monitor(tmp_path / "a.npz", (_noise(30), bank), (_noise(30), queries))
    assert list(monitor.run(_pixels)) == []


def test_features_that_are_no_numbers_show(tmp_path):
    part = _noise(30), np.arange(30) % 2
    monitor = _monitor(tmp_path / "a.npz", part, part)
    ((_, accuracy),) = monitor.run(lambda images: _pixels(images) / 0.0 * 0.0)
    assert np.isnan(accuracy)
