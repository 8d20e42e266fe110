"""One image of any size, resized by a box."""

import numpy as np
import tensorflow as tf

from simclr_tf.augmentation import resize_box, resize_crop
from simclr_tf.augmentation.resize import crop_and_resize

_BOXES = ([0, 0, 40, 53], [3, 7, 20, 11], [39, 52, 1, 1], [10, 0, 9, 50])


def test_both_ways_are_those_of_a_batch():
    image = tf.random.stateless_uniform([40, 53, 3], [3, 4])
    for box in _BOXES:
        (expected,) = crop_and_resize(image[None], tf.constant([box]), 24, 17)
        got = resize_crop(image, tf.constant(box), 24, 17)
        np.testing.assert_allclose(got, expected, atol=2e-6)
        got = resize_box(image, tf.constant(box, tf.float32), 24, 17)
        # The others round places to 1/1024 of a pixel, as the published code does.
        np.testing.assert_allclose(got, expected, atol=2e-3)


def test_a_box_may_begin_between_pixels():
    rows, columns = np.mgrid[:30, :40].astype(np.float32)
    image = np.stack([rows, columns], axis=-1)
    got = resize_box(image, tf.constant([2.25, 7.5, 20.0, 30.5]), 10, 10).numpy()
    places = np.arange(10) + 0.5
    # The middle of a pixel lies half a pixel from its edge.
    np.testing.assert_allclose(got[2:-2, 5, 0], (2.25 + 2.0 * places - 0.5)[2:-2], 1e-5)
    np.testing.assert_allclose(got[5, 2:-2, 1], (7.5 + 3.05 * places - 0.5)[2:-2], 1e-5)


def test_a_whole_image_at_its_own_size_is_unchanged():
    image = np.random.default_rng(0).integers(0, 256, [19, 23, 3], np.uint8)
    box = [0, 0, 19, 23]
    np.testing.assert_array_equal(resize_crop(image, tf.constant(box), 19, 23), image)
    got = resize_box(image, tf.constant(box, tf.float32), 19, 23)
    np.testing.assert_allclose(got, image, atol=1e-4)
