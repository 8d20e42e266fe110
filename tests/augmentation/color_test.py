"""Colour arithmetic agrees with the ops of the published code."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.augmentation import color

_OPERATIONS = {
    "brightness_mul": color.scale_brightness,
    "brightness_add": color.add_brightness,
    "contrast": color.adjust_contrast,
    "saturation": color.adjust_saturation,
    "hue": color.adjust_hue,
}


@pytest.mark.parametrize("operation", _OPERATIONS)
def test_agrees_with_the_published_numbers(golden_folder, operation):
    golden = np.load(golden_folder / "augment_ops.npz")
    names = [name for name in golden.files if name.startswith(operation + "_")]
    assert len(names) == 4
    for name in names:
        parameter = tf.fill([4], float(name[len(operation) + 1 :]))
        got = _OPERATIONS[operation](tf.constant(golden["images"]), parameter)
        got = tf.clip_by_value(got, 0.0, 1.0)
        np.testing.assert_allclose(got, golden[name], atol=1e-6, err_msg=name)


def test_grayscale_agrees_with_the_published_numbers(golden_folder):
    golden = np.load(golden_folder / "augment_ops.npz")
    got = color.to_grayscale(tf.constant(golden["images"]))
    np.testing.assert_allclose(got, golden["grayscale"], atol=1e-6)


def test_each_image_has_its_own_parameter():
    images = tf.random.stateless_uniform([5, 6, 7, 3], [1, 2])
    parameters = tf.constant([-0.3, -0.1, 0.0, 0.2, 0.5])
    for operation in _OPERATIONS.values():
        whole = operation(images, parameters)
        for row in range(5):
            alone = operation(images[row : row + 1], parameters[row : row + 1])
            np.testing.assert_allclose(whole[row], alone[0], atol=1e-6)


def test_black_white_and_grey_survive_hue_and_saturation():
    grey = tf.reshape(tf.constant([0.0, 0.5, 1.0]), [3, 1, 1, 1]) * tf.ones(
        [3, 2, 2, 3]
    )
    for operation in (color.adjust_hue, color.adjust_saturation):
        np.testing.assert_allclose(operation(grey, tf.fill([3], 0.37)), grey, atol=1e-7)


def test_hue_turns_by_any_share_of_the_circle():
    images = tf.constant(np.random.default_rng(0).random([1, 16, 16, 3], np.float32))
    for delta in (-1.0, -0.7, -0.5, -0.01, 0.49, 0.5, 0.51, 0.99):
        expected = tf.image.adjust_hue(images, delta)
        for turns in (0.0, 1.0, -2.0):
            got = color.adjust_hue(images, tf.constant([delta + turns]))
            np.testing.assert_allclose(got, expected, atol=5e-6, err_msg=str(delta))
