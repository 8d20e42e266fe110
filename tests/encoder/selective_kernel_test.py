"""Selective kernels mix two streams with weights that sum to one."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.encoder.selective_kernel import SelectiveKernel

_FILTERS = 5


def _images(side=8, count=4):
    generator = np.random.default_rng(side)
    return tf.constant(generator.normal(size=[count, side, side, 3]), tf.float32)


def _layer(filters=_FILTERS, strides=1, sk_ratio=0.0625):
    layer = SelectiveKernel(filters, strides, sk_ratio, momentum=0.9)
    layer(_images())
    return layer


def _streams(layer, images):
    return tf.split(layer.streams(images, training=False), 2, axis=-1)


def _lean(layer, amount):
    """Makes the mixing lean to the first stream by `amount`, everywhere alike."""
    layer.mixing.layers[1].batch_normalization.gamma.assign(tf.zeros([32]))
    layer.mixing.layers[1].batch_normalization.beta.assign(tf.ones([32]))
    kernel = layer.mixing.layers[2].convolution.kernel
    sides = np.repeat([amount / 64, -amount / 64], _FILTERS)
    kernel.assign(tf.broadcast_to(tf.constant(sides, tf.float32), kernel.shape))


def test_equal_weights_give_the_mean_of_the_streams():
    layer, images = _layer(), _images()
    _lean(layer, 0.0)
    first, second = _streams(layer, images)
    got = layer(images, training=False)
    np.testing.assert_allclose(got, (first + second) / 2, rtol=1e-5, atol=1e-6)
    assert np.abs(first - second).max() > 0.1


@pytest.mark.parametrize("amount", [-3.0, 0.5, 100.0])
def test_weights_are_a_softmax_over_the_streams(amount):
    layer, images = _layer(), _images()
    _lean(layer, amount)
    first, second = _streams(layer, images)
    share = 1.0 / (1.0 + np.exp(-amount))
    np.testing.assert_allclose(
        layer(images, training=False),
        share * first + (1.0 - share) * second,
        rtol=1e-4,
        atol=1e-5,
    )


def test_streams_that_agree_are_kept_however_they_are_mixed():
    layer, images = _layer(), _images()
    kernel = layer.streams.layers[0].convolution.kernel
    kernel.assign(tf.concat([kernel[..., :_FILTERS]] * 2, axis=-1))
    first, second = _streams(layer, images)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(layer(images, training=False), first, rtol=1e-5)


def test_weights_come_from_the_mean_of_each_image_by_itself():
    layer, images = _layer(), _images()
    whole = layer(images, training=False)
    for place in range(4):
        alone = layer(images[place : place + 1], training=False)
        np.testing.assert_allclose(alone[0], whole[place], rtol=1e-4, atol=1e-6)
    first, second = _streams(layer, images)
    share = (whole - second) / (first - second)
    share = np.where(np.abs(first - second) > 0.1, share, np.nan)
    spread = np.nanmax(share, axis=(1, 2)) - np.nanmin(share, axis=(1, 2))
    assert spread.max() < 1e-3
    assert np.ptp(np.nanmean(share, axis=(1, 2)), axis=0).max() > 1e-3


@pytest.mark.parametrize(
    ("filters", "sk_ratio", "width"), [(64, 0.0625, 32), (640, 0.0625, 40), (64, 1, 64)]
)
def test_the_mixing_layer_has_its_share_of_filters_and_32_at_least(
    filters, sk_ratio, width
):
    layer = _layer(filters, sk_ratio=sk_ratio)
    shapes = [tuple(variable.shape) for variable in layer.mixing.trainable_variables]
    assert shapes == [
        (1, 1, filters, width),
        (width,),
        (width,),
        (1, 1, width, 2 * filters),
    ]


@pytest.mark.parametrize("side", [7, 8])
def test_a_stride_halves_the_side(side):
    assert _layer(strides=2)(_images(side)).shape == [4, 4, 4, _FILTERS]
