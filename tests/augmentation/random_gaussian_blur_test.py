"""Blur agrees with the published code at the edge and inside."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.augmentation import RandomGaussianBlur
from simclr_tf.augmentation.random_gaussian_blur import gaussian_blur


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.0, 2.0])
def test_agrees_with_the_published_numbers(golden_folder, kernel, sigma):
    golden = np.load(golden_folder / "augment_ops.npz")
    images = tf.constant(golden["images"])
    got = gaussian_blur(images, tf.fill([4], sigma), kernel // 2)
    expected = golden[f"blur_k{kernel}_sigma{sigma}"]
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_kernel_is_a_tenth_of_the_side():
    image = np.zeros([1, 224, 224, 1], np.float32)
    image[0, 112, 112] = 1.0
    layer = RandomGaussianBlur(sigma=(2.0, 2.0), probability=1.0)
    support = np.argwhere(layer(tf.constant(image)).numpy()[0, :, :, 0] > 0)
    assert np.ptp(support, axis=0).tolist() == [22, 22]


def test_half_of_the_images_are_blurred():
    images = tf.random.stateless_uniform([2000, 12, 12, 1], [0, 1])
    layer = RandomGaussianBlur(kernel_size=3, seed=4)
    changed = tf.reduce_any(layer(images) != images, axis=[1, 2, 3])
    assert 0.45 < float(tf.reduce_mean(tf.cast(changed, tf.float32))) < 0.55
