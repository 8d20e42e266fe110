"""Images of any number of channels are augmented as RGB images are."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation import (
    RandomColorJitter,
    RandomGaussianBlur,
    RandomGrayscale,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomSolarize,
    SimCLRAugmenter,
    color,
    parse_views,
    views_on_host,
)
from simclr_tf.errors import UserError

_LAYERS = [
    RandomResizedCrop(10, 7, area=(0.3, 0.9)),
    RandomHorizontalFlip(),
    RandomColorJitter(0.6, probability=0.8),
    RandomColorJitter(0.6, probability=0.8, brightness_rule="additive"),
    RandomGaussianBlur(5, probability=0.7),
    RandomSolarize(0.5),
]
_SEEDS = randomness.example_seeds(5, 0, tf.range(24, dtype=tf.int64))


def _images(channels, count=24):
    shape = [count, 13, 16, channels]
    return tf.constant(
        np.random.default_rng(channels).uniform(0.1, 0.9, shape), "float32"
    )


def _augmented(layer, images):
    return layer({"images": images, "seeds": _SEEDS[: len(images)]})["images"]


@pytest.mark.parametrize("layer", _LAYERS, ids=lambda layer: layer.name)
def test_one_channel_is_augmented_as_a_grey_rgb_image_is(layer):
    grey = _images(1)
    rgb = _augmented(layer, tf.image.grayscale_to_rgb(grey))
    got = _augmented(layer, grey)
    assert got.shape[-1] == 1
    np.testing.assert_allclose(tf.repeat(got, 3, axis=-1), rgb, atol=2e-5)


@pytest.mark.parametrize("channels", [2, 4, 7])
def test_each_channel_has_a_brightness_and_a_contrast_of_its_own(channels):
    layer = RandomColorJitter(0.5, probability=1.0)
    images = _images(channels)
    drawn = layer.sample(_SEEDS, tf.ones([24, 2], tf.int32))
    factors = layer._by_channel(drawn, channels)
    got = layer.augment_images(images, drawn)
    for row, order in enumerate(drawn["order"].numpy()):
        image = images[row : row + 1]
        for operation in order:
            if operation > 1:
                continue
            step = (color.scale_brightness, color.adjust_contrast)[operation]
            name = ("brightness", "contrast")[operation]
            image = tf.clip_by_value(step(image, factors[name][row : row + 1]), 0, 1)
        np.testing.assert_allclose(got[row], image[0], atol=2e-6)
    for name in ("brightness", "contrast"):
        values = factors[name].numpy()
        assert values.shape == (24, channels)
        assert values.min() >= 0.6
        assert values.max() <= 1.4
        # The first channel's are those of an RGB image, the others their own.
        np.testing.assert_array_equal(values[:, 0], drawn[name])
        assert np.abs(np.corrcoef(values.T) - np.eye(channels)).max() < 0.7


@pytest.mark.parametrize("channels", [1, 2, 4, 6])
def test_the_recipe_leaves_out_what_is_for_rgb_alone(channels):
    augmenter = SimCLRAugmenter(12, gray_probability=1.0)
    images = tf.cast(255 * _images(channels), tf.uint8)
    views = augmenter.two_views(images, _SEEDS)
    assert views.shape == [24, 2, 12, 12, channels]
    layers = parse_views("crop(0.08)|flip|jitter(1.0)|blur", 12, channels)
    same = SimCLRAugmenter(12, layers=layers).two_views(images, _SEEDS)
    np.testing.assert_allclose(views, same, atol=1e-6)


@pytest.mark.parametrize(
    ("channels", "dtype", "compiled"),
    [
        (1, "uint8", False),  # Compiling takes seconds.
        (4, "uint16", True),
        *(
            pytest.param(channels, dtype, True, marks=pytest.mark.exhaustive)
            for channels, dtype in (
                *((1, "uint8"), (1, "uint16"), (4, "uint8")),
                *((2, "uint8"), (2, "uint16"), (5, "uint8"), (5, "uint16")),
            )
        ),
    ],
)
@pytest.mark.slow
def test_a_host_makes_the_same_views(channels, dtype, compiled):
    augmenter = SimCLRAugmenter((12, 9))
    largest = tf.as_dtype(dtype).max
    images = tf.cast(np.round(largest * _images(channels, 6).numpy()), dtype)
    made = views_on_host
    if compiled:
        made = tf.function(views_on_host, jit_compile=True, autograph=False)
    on_host = made(augmenter, images, _SEEDS[:6])
    np.testing.assert_allclose(
        on_host, augmenter.two_views(images, _SEEDS[:6]), atol=2e-5
    )


def test_double_precision_agrees():
    tf.keras.backend.set_floatx("float64")
    augmenter = SimCLRAugmenter(12)
    images = tf.cast(_images(4), tf.float64)
    got = augmenter.two_views(images, _SEEDS)
    assert got.dtype == tf.float64
    tf.keras.backend.set_floatx("float32")
    wanted = SimCLRAugmenter(12).two_views(_images(4), _SEEDS)
    np.testing.assert_allclose(got, wanted, atol=1e-4)


def test_jittered_channels_have_gradients():
    layer, images = RandomColorJitter(0.5, probability=1.0), _images(4, 6)
    drawn = layer.sample(_SEEDS[:6], tf.ones([6, 2], tf.int32))
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(layer.augment_images(images, drawn))
    assert np.all(np.isfinite(tape.gradient(total, images)))


def test_one_channel_is_grey_as_it_is():
    np.testing.assert_array_equal(
        _augmented(RandomGrayscale(1.0), _images(1)), _images(1)
    )


def test_greyscale_of_channels_that_have_none_is_refused():
    with pytest.raises(UserError, match=r"needs RGB images.*Leave it out"):
        RandomGrayscale()(_images(4))
    with pytest.raises(UserError, match=r"gray is for RGB images.* 4 channels"):
        parse_views("crop|gray", 8, channels=4)
    own = SimCLRAugmenter(8, layers=parse_views("crop|gray", 8))
    with pytest.raises(UserError, match=r"needs RGB images"):
        own.two_views(_images(2))
