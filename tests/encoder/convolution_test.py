"""Convolutions pad the same at any image size; batch norm and ReLU follow."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.encoder import SyncBatchNormalization
from simclr_tf.encoder.convolution import BatchNormRelu, Convolution, fixed_padding


def _images(height=12, width=12, channels=3):
    generator = np.random.default_rng(height * width)
    return generator.normal(size=[2, height, width, channels]).astype(np.float32)


@pytest.mark.parametrize("kernel_size", [1, 3, 7])
@pytest.mark.parametrize("height", [9, 12])
@pytest.mark.parametrize("width", [8, 11])
def test_a_stride_takes_every_second_pixel_of_the_convolution_without(
    kernel_size, height, width
):
    images = _images(height, width)
    strided = Convolution(4, kernel_size, strides=2)
    dense = Convolution(4, kernel_size)
    got = strided(images)
    dense.build(images.shape)
    dense(images)
    dense.set_weights(strided.get_weights())
    np.testing.assert_allclose(got, dense(images)[:, ::2, ::2], rtol=1e-5, atol=1e-5)


def test_the_padding_of_tensorflow_alone_would_depend_on_the_size():
    """What the fixed padding is for: at even sizes the two differ."""
    images = _images(12, 12)
    layer = Convolution(4, 3, strides=2)
    ours = layer(images)
    same = tf.nn.conv2d(images, layer.trainable_variables[0], 2, "SAME")
    assert ours.shape == same.shape
    assert np.abs(ours - same).max() > 0.1


@pytest.mark.parametrize(("kernel_size", "pads"), [(1, 0), (2, 1), (3, 2), (7, 6)])
def test_padding_splits_with_the_odd_row_at_the_end(kernel_size, pads):
    padded = fixed_padding(kernel_size)(tf.ones([1, 4, 5, 1]))[0, ..., 0].numpy()
    before = pads // 2
    assert padded.shape == (4 + pads, 5 + pads)
    np.testing.assert_array_equal(padded[before : before + 4, before : before + 5], 1)
    assert padded.sum() == 20


def test_a_convolution_has_a_kernel_of_unit_gain_and_no_bias():
    layer = Convolution(256, 3)
    layer(_images(channels=64))
    (kernel,) = layer.weights
    assert kernel.shape == [3, 3, 64, 256]
    assert np.std(kernel) == pytest.approx((9 * 64) ** -0.5, rel=0.02)
    # Drawn from a normal distribution cut at two of its deviations.
    assert np.abs(kernel).max() == pytest.approx(2 / 0.8796 / (9 * 64) ** 0.5, rel=0.02)


def test_batch_norm_then_relu():
    images = 5.0 + 3.0 * _images()
    plain = BatchNormRelu(0.9, relu=False)(images, training=True)
    np.testing.assert_allclose(np.mean(plain, axis=(0, 1, 2)), 0.0, atol=1e-5)
    np.testing.assert_allclose(np.std(plain, axis=(0, 1, 2)), 1.0, atol=1e-4)
    clipped = BatchNormRelu(0.9)(images, training=True)
    np.testing.assert_array_equal(clipped, np.maximum(plain, 0.0))


def test_batch_norm_is_synchronised_and_has_the_published_constants():
    layer = BatchNormRelu(0.75)
    images = _images()
    layer(images, training=True)
    norm = layer.batch_normalization
    assert isinstance(norm, SyncBatchNormalization)
    assert norm.epsilon == 1e-5
    np.testing.assert_allclose(
        norm.moving_mean, 0.25 * images.mean((0, 1, 2)), rtol=1e-4, atol=1e-6
    )


def test_zero_gamma_starts_as_nothing():
    layer = BatchNormRelu(0.9, relu=False, zero_gamma=True)
    np.testing.assert_array_equal(layer(_images(), training=True), 0.0)
    np.testing.assert_array_equal(layer.batch_normalization.gamma, 0.0)
