"""What figures are compared with: an encoder before training, pixels, the majority."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.augmentation import SimCLRAugmenter
from simclr_tf.data import load
from simclr_tf.evaluation import encode, knn, ridge_probe
from simclr_tf.evaluation.bare_pixels import bare_pixels
from simclr_tf.evaluators import Monitor, make_evaluators
from simclr_tf.evaluators.floors import measure_floors
from tests import tiny

pytestmark = pytest.mark.slow


def _encoder():
    encoder = tiny.encoder()
    encoder.build((None, 8, 8, 3))
    return encoder


AUGMENTER = SimCLRAugmenter(8, color_strength=0.0, blur=False)


def _monitor(path, labels=True):
    """Two classes, one twice as frequent, dark and bright."""
    draws = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", 60), ("test", 30)):
        y = np.where(np.arange(count) % 3 == 0, 0, 1)
        x = draws.integers(0, 120, [count, 8, 8, 3]) + 100 * y[:, None, None, None]
        arrays[f"x_{split}"] = x.astype(np.uint8)
        if labels:
            arrays[f"y_{split}"] = y
    np.savez(path, **arrays)
    sources = [load(f"npz:{path}", split) for split in ("train", "test")]
    return Monitor(make_evaluators("knn"), *sources, 8, AUGMENTER), arrays


def test_with_labels(tmp_path):
    monitor, arrays = _monitor(tmp_path / "a.npz")
    floors = measure_floors(monitor, _encoder(), {"contrastive_loss": 4.0})
    assert set(floors.start) == {
        *("knn_accuracy", "ridge_accuracy", "query_contrastive_accuracy"),
        *("alignment", "uniformity", "effective_rank", "deviation", "collapsed"),
    }
    y = [arrays[f"y_{s}"] for s in ("train", "test")]
    h = [bare_pixels(16)(arrays[f"x_{s}"]).numpy() for s in ("train", "test")]
    assert floors.pixels == {
        "knn_accuracy": knn(h[0], y[0], h[1], y[1]).top1,
        "ridge_accuracy": ridge_probe(h[0], y[0], h[1], y[1]).top1,
    }
    assert floors.pixels["ridge_accuracy"] == 1.0
    assert floors.majority == pytest.approx(2 / 3)
    assert floors.queries == 30
    assert floors.right.keys() == {"before training", "pixels", "largest class"}
    bright = "".join("02"[each] for each in y[1])
    assert floors.right["largest class"] == dict.fromkeys(floors.pixels, bright)
    assert floors.right["pixels"]["ridge_accuracy"] == "2" * 30
    for name in ("knn_accuracy", "query_contrastive_accuracy"):
        digits = floors.right["before training"][name]
        assert np.mean([*map(int, digits)]) / 2 == pytest.approx(floors.start[name])
    assert floors.chance == {
        "contrastive_loss": 4.0,
        "query_contrastive_accuracy": 1 / 59,
    }


def test_without_labels_no_accuracy_is_measured(tmp_path):
    monitor, _ = _monitor(tmp_path / "a.npz", labels=False)
    floors = measure_floors(monitor, _encoder(), {})
    assert "knn_accuracy" not in floors.start
    assert 0.0 <= floors.start["query_contrastive_accuracy"] <= 1.0
    assert (floors.pixels, floors.majority, floors.queries) == ({}, None, 30)


def test_pixels_are_means_over_areas():
    images = np.random.default_rng(0).random([2, 64, 64, 3]).astype(np.float32)
    found, _ = encode(bare_pixels(16), tf.data.Dataset.from_tensors({"image": images}))
    means = images.reshape(2, 16, 4, 16, 4, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(found, means.reshape(2, -1), atol=1e-6)
    whole = bare_pixels(64)(tf.constant(images))
    np.testing.assert_array_equal(whole, images.reshape(2, -1))
