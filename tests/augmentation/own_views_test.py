"""Any layer or function of images makes views, in [0, 1] whatever it gives."""

import keras_cv
import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.augmentation import OwnViews, SimCLRAugmenter, as_augmenter
from simclr_tf.errors import UserError

_PIXELS = tf.constant(np.random.default_rng(0).integers(0, 256, [4, 8, 8, 3]), tf.uint8)
_UNIT = tf.cast(_PIXELS, tf.float32) / 255.0


@tf.keras.utils.register_keras_serializable("tests")
def _as_it_is(images):
    return images


def _floats(images):
    return tf.cast(images, tf.float32)


@pytest.mark.parametrize(
    ("augment", "images", "settings"),
    [
        (_as_it_is, _PIXELS, {}),
        (_as_it_is, _UNIT, {}),
        (_floats, _PIXELS, {"value_range": (0, 255)}),
        (tf.keras.layers.Rescaling(1 / 255), _PIXELS, {"value_range": (0, 1)}),
        (tf.keras.layers.Rescaling(2.0, -1.0), _UNIT, {"value_range": (-1, 1)}),
    ],
)
def test_views_lie_in_the_unit_range_whatever_is_given(augment, images, settings):
    views = OwnViews(augment, **settings).two_views(images)
    assert views.dtype == tf.float32
    np.testing.assert_allclose(views, tf.stack([_UNIT, _UNIT], axis=1), atol=1e-6)


def test_a_range_that_is_unknown_is_not_guessed():
    with pytest.raises(UserError, match=r"value_range=\(0, 255\)"):
        OwnViews(_floats).two_views(_PIXELS)


def test_random_layers_are_called_as_in_training():
    flip = tf.keras.Sequential([tf.keras.layers.RandomFlip("horizontal")])
    views = OwnViews(flip).views(tf.tile(_UNIT, [8, 1, 1, 1]), count=3)
    assert views.shape == [32, 3, 8, 8, 3]
    assert not np.array_equal(views[:, 0], views[:, 1])
    cv = OwnViews(keras_cv.layers.RandomFlip("horizontal"))
    assert cv.two_views(_UNIT).shape == [4, 2, 8, 8, 3]


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        (lambda images: {"images": images}, "dense tensor of images, got a dict"),
        (lambda images: tf.reduce_mean(images, axis=3), r"\[B, h, w, C\], got shape"),
        (lambda images: tf.cast(images, tf.int32), "int32"),
    ],
)
def test_what_gives_no_images_is_refused(augment, message):
    with pytest.raises(UserError, match=message):
        OwnViews(augment).two_views(_PIXELS)


def test_what_can_be_no_augmenter_is_refused():
    with pytest.raises(UserError, match="got a str"):
        as_augmenter("flip")
    with pytest.raises(UserError, match='"size" beside them'):
        OwnViews(_as_it_is).two_views(_UNIT, sizes=tf.ones([4, 2], tf.int32))


def test_an_augmenter_that_makes_two_views_is_left_as_it_is():
    augmenter = SimCLRAugmenter(8)
    assert as_augmenter(augmenter) is augmenter
    assert as_augmenter(None) is None


def test_it_is_rebuilt_from_its_config():
    layer = tf.keras.Sequential([tf.keras.layers.RandomFlip(seed=3)])
    for augment in (_as_it_is, layer, keras_cv.layers.RandomHue(0.5, (0, 255))):
        augmenter = OwnViews(augment, value_range=(0, 255))
        config = tf.keras.saving.serialize_keras_object(augmenter)
        again = tf.keras.saving.deserialize_keras_object(config)
        assert again.get_config() == augmenter.get_config()
        assert again.range_of(tf.uint8) == (0, 255)


def test_what_cannot_be_saved_is_said():
    class Unknown:
        def __call__(self, images):
            return images

    with pytest.raises(UserError, match="register_keras_serializable"):
        OwnViews(Unknown()).get_config()
