"""Cross entropy over the known labels, exact, and the head that it needs."""

import numpy as np
import pytest
import tensorflow as tf

import simclr_tf
from simclr_tf.errors import UserError
from simclr_tf.methods import Method, method_class
from simclr_tf.model import Learner
from simclr_tf.training import Recipe, build_model
from tests import tiny

_METHOD = method_class("supervised")()
_RECIPE = Recipe(image_size=16, encoder=tiny.NAME, precision="float32").resolve()


def _reference(logits, labels):
    """Mean loss over the known labels, its gradient, and the accuracy."""
    known = labels >= 0
    exponential = np.exp(logits - logits.max(axis=1, keepdims=True))
    softmax = exponential / exponential.sum(axis=1, keepdims=True)
    target = np.eye(logits.shape[1])[labels] * known[:, None]
    loss = -np.log((softmax * target).sum(axis=1)[known]).mean()
    gradient = (softmax - target) * known[:, None] / known.sum()
    return loss, gradient, (logits.argmax(axis=1) == labels)[known].mean()


@pytest.mark.parametrize("labels", [[2, 0, 1, 4, 3, 1], [2, -1, 1, -1, -1, 0]])
def test_the_loss_is_the_mean_over_known_labels_in_float64(labels):
    logits = 3.0 * np.random.default_rng(0).normal(size=[6, 5])
    labels = np.array(labels, np.int32)
    variable = tf.Variable(logits)
    with tf.GradientTape() as tape:
        found = _METHOD.objective(variable, tf.constant(labels), None)
    loss, gradient, accuracy = _reference(logits, labels)
    assert found["loss"].dtype == tf.float64
    np.testing.assert_allclose(found["loss"], loss, rtol=1e-12)
    np.testing.assert_allclose(found["supervised_loss"], loss, rtol=1e-12)
    np.testing.assert_allclose(found["supervised_accuracy"], accuracy, rtol=1e-12)
    np.testing.assert_allclose(
        tape.gradient(found["loss"], variable), gradient, rtol=0, atol=1e-14
    )


def test_without_a_single_label_nothing_is_learned():
    logits = tf.Variable(np.random.default_rng(0).normal(size=[3, 4]))
    with tf.GradientTape() as tape:
        found = _METHOD.objective(logits, tf.fill([3], -1), None)
    assert all(value == 0.0 for value in found.values())
    assert not np.any(tape.gradient(found["loss"], logits))


@pytest.mark.slow
def test_figures_of_an_epoch_are_means_over_labelled_images():
    """Of batches that know one, four and no labels."""
    images = np.random.default_rng(0).integers(0, 256, [12, 16, 16, 3], np.uint8)
    labels = np.array([1, -1, -1, -1, 0, 2, 1, 0, -1, -1, -1, -1])
    tf.keras.utils.set_random_seed(0)
    head = _METHOD.make_head(layers=1, hidden_dim=None, out_dim=8, num_classes=3)
    learner = Learner(
        tiny.encoder(),
        head,
        _METHOD,
        augmenter=simclr_tf.augmentation.SimCLRAugmenter(
            16, color_strength=0.0, blur=False
        ),
    )
    learner.compile(tf.keras.optimizers.SGD(0.0), run_eagerly=True)
    told = learner.evaluate(images, labels, batch_size=4, verbose=0, return_dict=True)
    # The views of an image depend on its place alone, so that one batch has the same.
    whole = learner.evaluate(images, labels, batch_size=12, verbose=0, return_dict=True)
    for name in _METHOD.measures:
        assert told[name] == pytest.approx(whole[name], 1e-5)
    assert whole["loss"] == pytest.approx(whole["supervised_loss"], 1e-6)


@pytest.mark.parametrize("num_classes", [None, 1])
def test_the_head_needs_the_number_of_classes(num_classes):
    with pytest.raises(UserError, match=f"num_classes, 2 or more, got {num_classes}"):
        _METHOD.make_head(layers=1, hidden_dim=None, out_dim=8, num_classes=num_classes)


def test_a_recipe_brings_the_classes_to_the_head_and_encodes_without_them(monkeypatch):
    monkeypatch.setattr("simclr_tf.training.build.build_method", lambda _: _METHOD)
    model = build_model(_RECIPE, num_classes=7)
    assert model.projection_head.kernel.shape == [tiny.FEATURES, 7]
    assert model.projection_head.dtype == "float32"
    bare = build_model(_RECIPE)
    assert bare.projection_head.weights == []
    for ours, theirs in zip(bare.encoder.weights, model.encoder.weights):
        np.testing.assert_array_equal(ours, theirs)


class _Older(Method):
    """A method whose `make_head` knows nothing of classes."""

    learns_from_labels = True

    def make_head(self, *, layers, hidden_dim, out_dim):
        return tf.keras.layers.Dense(out_dim)


def test_a_method_that_does_not_classify_is_not_given_the_classes(monkeypatch):
    monkeypatch.setattr("simclr_tf.training.build.build_method", lambda _: _Older())
    model = build_model(_RECIPE, num_classes=7)
    assert model.projection_head.units == 128
