"""Every method trains by `fit`, is saved, and is refused by name where unknown."""

import numpy as np
import pytest
import tensorflow as tf

import simclr_tf
from simclr_tf.errors import UserError
from simclr_tf.methods import METHODS, method_class
from simclr_tf.model import Learner
from tests import tiny

pytestmark = pytest.mark.slow


def _plain_encoder():
    return tf.keras.Sequential(
        [
            tf.keras.layers.Conv2D(8, 3, 2, padding="same", activation="relu"),
            tf.keras.layers.GlobalAveragePooling2D(),
        ]
    )


def _learner(name, *, plain=False, **settings):
    tf.keras.utils.set_random_seed(0)
    method = method_class(name)()
    classes = {"num_classes": 3} if method.classifies else {}
    learner = Learner(
        _plain_encoder() if plain else tiny.encoder(),
        method.make_head(layers=1, hidden_dim=None, out_dim=8, **classes),
        method,
        augmenter=simclr_tf.augmentation.SimCLRAugmenter(
            24, color_strength=0.0, blur=False
        ),
        **settings,
    )
    learner.build((None, 24, 24, 3))
    learner.compile(tf.keras.optimizers.SGD(0.01))
    return learner


_SMALLER = ("jigsaw", "supervised")


@pytest.mark.parametrize(
    "name",
    [
        name if name in _SMALLER else pytest.param(name, marks=pytest.mark.exhaustive)
        for name in METHODS
    ],
)
def test_a_method_trains_and_is_saved(tmp_path, name):
    images = np.random.default_rng(0).integers(0, 256, [8, 24, 24, 3], np.uint8)
    labels = np.arange(8) % 2
    learner = _learner(name, num_classes=2)
    before = [v.numpy() for v in learner.encoder.trainable_variables]
    history = learner.fit(images, labels, batch_size=8, verbose=0).history
    assert set(history) == {
        *("loss", "probe_loss", "probe_accuracy"),
        *learner.method.measures,
    }
    assert set(learner.method.shown.values()) <= set(history)
    # What is minimised is the method's own loss and the probe's.
    own = history[learner.method.measures[0]][0]
    assert history["loss"][0] == pytest.approx(own + history["probe_loss"][0], 1e-5)
    for variable, value in zip(learner.encoder.trainable_variables, before):
        assert np.abs(variable.numpy() - value).max() > 0
    path = str(tmp_path / "learner.keras")
    learner.save(path)
    loaded = tf.keras.models.load_model(path)
    assert type(loaded.method) is type(learner.method)
    assert loaded.method.get_config() == learner.method.get_config()
    np.testing.assert_array_equal(loaded(images), learner(images))


def test_labels_that_are_learned_from_must_be_given():
    images = np.zeros([4, 28, 28, 3], np.uint8)
    learner = _learner("supcon")
    learner.run_eagerly = True
    with pytest.raises(UserError, match="SupConMethod learns from labels"):
        learner.fit(images, batch_size=4, verbose=0)


def test_an_image_alone_teaches_a_pretext_task_and_no_comparison():
    image = np.random.default_rng(0).integers(0, 256, [1, 28, 28, 3], np.uint8)
    rotation, dcl = _learner("rotation"), _learner("dcl")
    rotation.run_eagerly = dcl.run_eagerly = True
    assert rotation.fit(image, batch_size=1, verbose=0).history["loss"]
    with pytest.raises(UserError, match="one image has no negatives"):
        dcl.fit(image, batch_size=1, verbose=0)


def test_pieces_that_come_without_their_seeds_are_refused():
    views = np.full([4, 9, 6, 6, 3], 0.5, np.float32)
    learner = _learner("jigsaw")
    with pytest.raises(UserError, match='needs "seeds" beside "views"'):
        learner.train_step({"views": tf.constant(views)})


def test_a_last_batch_of_one_image_leaves_evaluation_a_number():
    images = np.random.default_rng(0).integers(0, 256, [5, 24, 24, 3], np.uint8)
    learner = _learner("dcl")
    learner.run_eagerly = True
    with pytest.warns(UserWarning, match="1 of the batches"):
        loss = learner.evaluate(images, batch_size=4, verbose=0)
    assert np.isfinite(loss).all()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("supcon", marks=pytest.mark.exhaustive),
        pytest.param("jigsaw", marks=pytest.mark.exhaustive),
        pytest.param("supervised", marks=pytest.mark.exhaustive),
    ],
)
def test_in_micro_batches_the_step_is_that_of_the_whole_batch(name):
    """Of an encoder without batch norm."""
    tf.keras.backend.set_floatx("float64")
    images = np.random.default_rng(0).integers(0, 256, [8, 24, 24, 3], np.uint8)
    labels, found = np.array([0, 1, 2, 0, 1, -1, -1, -1]), []
    for micro_batches in (1, 4):
        learner = _learner(name, micro_batches=micro_batches, plain=True)
        learner.fit(images, labels, batch_size=8, verbose=0, shuffle=False)
        found.append([v.numpy() for v in learner.trainable_variables])
    for whole, pieces in zip(*found):
        np.testing.assert_allclose(pieces, whole, rtol=0, atol=1e-12)


def test_a_method_that_is_none_is_named():
    with pytest.raises(UserError, match=r"one of simclr, .*got 'moco'"):
        method_class("moco")
