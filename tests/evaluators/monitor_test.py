"""What is measured while training is measured on a sample, whatever the dataset."""

import numpy as np
import pytest
import tensorflow as tf

import simclr_tf
from simclr_tf.augmentation import SimCLRAugmenter
from simclr_tf.data import load
from simclr_tf.errors import UserError
from simclr_tf.evaluation import knn
from simclr_tf.evaluators import (
    EvaluateEncoder,
    Evaluator,
    Monitor,
    make_evaluators,
)
from simclr_tf.evaluators import monitor as module
from simclr_tf.evaluators.classifiers import KnnEvaluator
from tests import tiny

pytestmark = pytest.mark.slow


def _pixels(images):
    return tf.reshape(images, [tf.shape(images)[0], -1])


_AUGMENTER = SimCLRAugmenter(8, color_strength=0.0, blur=False)


def _monitor(path, bank, queries, names="knn"):
    (bank_images, bank_labels), (images, labels) = bank, queries
    arrays = {"x_train": bank_images, "x_test": images}
    if bank_labels is not None:
        arrays["y_train"] = bank_labels
    if labels is not None:
        arrays["y_test"] = labels
    np.savez(path, **arrays)
    splits = (load(f"npz:{path}", split) for split in ("train", "test"))
    return Monitor(make_evaluators(names), *splits, 8, _AUGMENTER)


def _accuracy(monitor, model):
    values, warnings = monitor.run(model)
    assert warnings == []
    (accuracy,) = values.values()
    assert list(values) == ["knn_accuracy"]
    return accuracy


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
    accuracy = _accuracy(monitor, _pixels)
    assert accuracy == pytest.approx(expected)


def test_of_large_datasets_it_takes_the_same_sample_each_time(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "BANK_SIZE", 60)
    monkeypatch.setattr(module, "QUERIES", 40)
    seen = []

    def recorded(images):
        tf.py_function(lambda x: seen.append(x.numpy()), [images], [])
        return _pixels(images)

    images, labels = _noise(300), np.arange(300) % 3
    for _ in range(2):
        monitor = _monitor(tmp_path / "a.npz", (images, labels), (images, labels))
        monitor.run(recorded)
    assert [len(batch) for batch in seen] == [40, 60] * 2
    for first, second in zip(seen[:2], seen[2:]):
        np.testing.assert_array_equal(first, second)


def test_a_bank_of_fewer_images_than_neighbours_is_enough(tmp_path):
    images, labels = _noise(6), np.array([0, 1, 0, 1, 0, 1])
    monitor = _monitor(tmp_path / "a.npz", (images, labels), (images, labels))
    accuracy = _accuracy(monitor, _pixels)
    assert 0.5 <= accuracy <= 1.0


def test_a_query_of_a_class_that_the_bank_lacks_is_never_right(tmp_path):
    images = np.repeat(np.array([0, 255], np.uint8), 30)[:, None, None, None]
    images = np.broadcast_to(images, [60, 8, 8, 3]).copy()
    images[:, 0, 0] = [100, 0, 0]
    labels = np.repeat([0, 1], 30)
    unseen = np.where(np.arange(60) % 3 == 0, 7, labels)
    monitor = _monitor(tmp_path / "a.npz", (images, labels), (images, unseen))
    accuracy = _accuracy(monitor, _pixels)
    assert accuracy == pytest.approx(2 / 3)


def test_unlabelled_images_neither_vote_nor_count(tmp_path):
    images, labels = _noise(60), np.arange(60) % 2
    known = np.arange(60) < 10
    some = images, np.where(known, labels, -1)
    accuracy = _accuracy(_monitor(tmp_path / "a.npz", some, some), _pixels)
    few = images[known], labels[known]
    expected = _accuracy(_monitor(tmp_path / "b.npz", few, few), _pixels)
    assert accuracy == pytest.approx(expected)


@pytest.mark.parametrize(
    ("bank", "queries"),
    [(np.zeros(30, int), np.zeros(30, int)), (np.arange(30) % 2, None)],
    ids=["one class", "unlabelled queries"],
)
def test_nothing_is_claimed_where_nothing_can_be_measured(tmp_path, bank, queries):
    monitor = _monitor(tmp_path / "a.npz", (_noise(30), bank), (_noise(30), queries))
    assert monitor.run(_pixels) == ({}, [])


def test_features_that_are_no_numbers_show(tmp_path):
    part = _noise(30), np.arange(30) % 2
    monitor = _monitor(tmp_path / "a.npz", part, part)
    accuracy = _accuracy(monitor, lambda images: _pixels(images) / 0.0 * 0.0)
    assert np.isnan(accuracy)


def test_without_labels_the_geometry_is_told_and_a_collapse_said(tmp_path):
    part = _noise(40), None
    monitor = _monitor(tmp_path / "a.npz", part, part, "knn,ridge,geometry,contrastive")
    values, warnings = monitor.run(_pixels)
    assert set(values) == {
        *("alignment", "uniformity", "effective_rank", "deviation"),
        "query_contrastive_accuracy",
    }
    assert warnings == []
    assert set(monitor.shown.values()) <= set(values)
    values, warnings = monitor.run(lambda images: 1.0 + 1e-3 * _pixels(images))
    assert values["deviation"] < 0.01
    assert ["nearly the same" in line for line in warnings] == [True]


@pytest.mark.exhaustive
def test_images_that_few_labels_name_are_all_part_of_the_geometry(tmp_path):
    """And one image alone has none."""
    labels = np.where(np.arange(40) < 4, np.arange(40) % 2, -1)
    part = _noise(40), labels
    monitor = _monitor(tmp_path / "a.npz", part, part, "geometry")
    values, warnings = monitor.run(_pixels)
    assert values["effective_rank"] > 10
    assert warnings == []
    one = _noise(1), np.zeros(1, int)
    monitor = _monitor(tmp_path / "b.npz", part, one, "knn,geometry,contrastive")
    assert set(monitor.run(_pixels)[0]) == {"knn_accuracy"}


def test_a_user_adds_an_evaluator_of_their_own(tmp_path):
    class Largest(Evaluator):
        measures = ("largest",)

        def measure(self, encoded):
            return {"largest": float(encoded.query_h.max())}, ""

    images = _noise(20)
    np.savez(tmp_path / "a.npz", x_train=images)
    source = load(f"npz:{tmp_path / 'a.npz'}", "train")
    values, _ = Monitor([Largest()], None, source, 8, _AUGMENTER).run(_pixels)
    assert values == {"largest": pytest.approx(images.max() / 255.0)}


def test_a_callback_gives_fit_the_values(tmp_path, capsys):
    images, labels = _noise(32), np.arange(32) % 2
    monitor = _monitor(
        tmp_path / "a.npz", (images, labels), (images, labels), "knn,ridge"
    )
    model = simclr_tf.SimCLR(
        tiny.encoder(),
        simclr_tf.ProjectionHead(num_layers=1, out_dim=4),
        augmenter=_AUGMENTER,
    )
    model.compile("sgd")
    history = model.fit(
        images,
        batch_size=32,
        epochs=2,
        verbose=0,
        callbacks=[EvaluateEncoder(monitor, every=2)],
    ).history
    assert len(history["loss"]) == 2
    assert len(history["ridge_accuracy"]) == len(history["knn_accuracy"]) == 1
    with pytest.raises(UserError, match="every must be 1 or more"):
        EvaluateEncoder(monitor, every=0)


class Again(KnnEvaluator):
    """Measures what another one measures."""


class Needing(Evaluator):
    def __init__(self, argument):
        self.argument = argument


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ("knn,probe", "got 'probe'"),
        ("knn,knn", "evaluator once"),
        (f"knn,{__name__}:Again", "more than one measures 'knn_accuracy'"),
        (f"knn,{__name__}:Needing", "made without arguments: .*argument"),
        (f"knn,{__name__}:Monitor", "a class derived from Evaluator, got .*Monitor"),
        (f"knn,{__name__}:_noise", "a class derived from Evaluator, got .*_noise"),
        ("knn,tests:_AUGMENTER", "cannot be imported: .*no attribute"),
    ],
)
def test_names_that_are_none_are_refused(names, told):
    with pytest.raises(UserError, match=told):
        make_evaluators(names)
    assert make_evaluators(" ") == []
