"""An augmentation of the user's own is tried before anything is learned from it."""

import functools

import keras_cv
import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.augmentation import OwnViews
from simclr_tf.errors import UserError
from simclr_tf.model.examined_views import examine

pytestmark = pytest.mark.slow

_layers = tf.keras.layers
_PIXELS = tf.TensorSpec([None, 16, 16, 3], tf.uint8)
_UNIT = tf.TensorSpec([None, None, None, 3], tf.float32)


def _said(augment, images=_UNIT, **settings):
    lines = []
    augmenter = OwnViews(augment)
    examine(augmenter, images, say=lines.append, **settings)
    examine(augmenter, images, say=lines.append, **settings)
    assert len(lines) == 1  # Once.
    return augmenter, lines[0]


def _brighter(images, seed=None):
    factor = tf.random.uniform([tf.shape(images)[0], 1, 1, 1], 0.5, 1.0, seed=seed)
    return tf.cast(images, tf.float32) * factor


def _frozen(images):
    return images * np.random.default_rng().uniform(0.2, 1.0)


@pytest.mark.parametrize(
    ("make", "images", "found", "said"),
    [
        (_layers.RandomFlip, _UNIT, (0, 1), "repeats and resumes to the bit"),
        (_layers.RandomFlip, _PIXELS, (0, 255), "repeats and resumes to the bit"),
        (lambda: _brighter, _PIXELS, (0, 255), "neither repeated nor resumed"),
        (
            lambda: tf.keras.Sequential(
                [_layers.Rescaling(1 / 255), _layers.RandomFlip()]
            ),
            *(_PIXELS, (0, 1), "repeats and resumes to the bit"),
        ),
        (keras_cv.layers.RandomFlip, _UNIT, (0, 1), "neither repeated nor resumed"),
        (lambda: _frozen, _UNIT, (0, 1), "the same two of a batch in every step"),
    ],
    ids=["unit", "pixels", "function", "rescaled", "keras-cv", "NumPy"],
)
def test_range_and_randomness_are_found_out(make, images, found, said):
    augmenter, line = _said(make(), images)
    assert augmenter.range_of(images.dtype) == found
    assert said in line


def _in_inference(images, layer=_layers.RandomFlip()):  # noqa: B008
    return layer(images, training=False)


@pytest.mark.parametrize(
    "augment",
    [
        lambda images: images[:, ::-1],
        _in_inference,
        functools.partial(_brighter, seed=1),
    ],
    ids=["no draw", "inference", "seeded operation"],
)
def test_identical_views_are_refused(augment):
    with pytest.raises(UserError, match="two identical views of each image"):
        examine(OwnViews(augment), _UNIT, say=print)


@pytest.mark.parametrize(
    ("augment", "images", "message"),
    [
        (
            keras_cv.layers.RandAugment(value_range=(0, 255)),
            *(_UNIT, r"values in 0..255, and the images are float32.*\(0, 1\)"),
        ),
        (
            keras_cv.layers.RandomHue(0.5, value_range=(0, 1)),
            *(_PIXELS, r"values in 0..1, and the images are uint8.*\(0, 255\)"),
        ),
        (lambda images: 5.0 * _brighter(images) - 2.0, _UNIT, "not 0 to 1.*standard"),
        (
            lambda images: _brighter(images) / 50.0 - 2.0,
            *(_PIXELS, r"not \[0, 1\] or 0..255.*standardises"),
        ),
        (lambda images: tf.constant(np.sqrt(images)), _UNIT, "leaves TensorFlow's"),
        (
            lambda images: tf.image.random_crop(images, [4, 4, 3]),
            *(_UNIT, r"batch of images float32 \(8, 32, 32, 3\).*tf.map_fn"),
        ),
    ],
    ids=["pixels", "unit", "standardised", "pixels standardised", "NumPy", "one image"],
)
def test_what_it_cannot_do_is_said_with_the_remedy(augment, images, message):
    with pytest.raises(UserError, match=message):
        examine(OwnViews(augment), images, say=print)
