"""Crop-and-resize by matrix products equals TensorFlow's bicubic resize."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.augmentation import resize


@pytest.mark.parametrize("case", range(4))
def test_agrees_with_the_published_numbers(golden_folder, case):
    golden = np.load(golden_folder / "augment_ops.npz")
    box = golden[f"crop_resize_bicubic_{case}_box"]
    boxes = tf.tile(tf.constant(box, tf.int32)[None], [4, 1])
    got = resize.crop_and_resize(tf.constant(golden["images"]), boxes, 16, 16)
    got = tf.clip_by_value(got, 0.0, 1.0)
    np.testing.assert_allclose(got, golden[f"crop_resize_bicubic_{case}"], atol=1e-6)


@pytest.mark.parametrize("antialias", [False, True])
def test_each_image_has_its_own_box_and_equals_tensorflow(antialias):
    images = tf.random.stateless_uniform([4, 40, 53, 3], [3, 4])
    boxes = tf.constant(
        [[0, 0, 40, 53], [3, 7, 20, 11], [39, 52, 1, 1], [10, 0, 9, 50]]
    )
    got = resize.crop_and_resize(images, boxes, 24, 17, antialias=antialias)
    for image, box, result in zip(images, boxes.numpy(), got):
        y, x, h, w = box
        crop = image[y : y + h, x : x + w]
        expected = tf.image.resize(
            crop, [24, 17], method="bicubic", antialias=antialias
        )
        np.testing.assert_allclose(result, expected, atol=2e-6)


def test_whole_image_at_its_own_size_is_unchanged():
    images = tf.random.stateless_uniform([2, 32, 32, 3], [3, 4])
    boxes = tf.constant([[0, 0, 32, 32]] * 2)
    np.testing.assert_array_equal(resize.crop_and_resize(images, boxes, 32, 32), images)


def test_compiles_for_xla_with_the_same_values():
    images = tf.random.stateless_uniform([3, 20, 30, 3], [3, 4])
    boxes = tf.constant([[1, 2, 10, 20], [0, 0, 20, 30], [5, 5, 5, 5]])

    def run(images, boxes):
        return resize.crop_and_resize(images, boxes, 16, 16)

    np.testing.assert_allclose(
        tf.function(run, jit_compile=True)(images, boxes), run(images, boxes), atol=1e-6
    )


def test_boxes_follow_images_to_a_canvas():
    boxes = tf.constant([[0, 0, 100, 300], [50, 150, 50, 150], [99, 299, 1, 1]])
    sizes = tf.constant([[100, 300]] * 3)
    canvas = tf.constant([[40, 40]] * 3)
    scaled = resize.scale_boxes(boxes, sizes, canvas)
    np.testing.assert_array_equal(
        scaled, [[0, 0, 40, 40], [20, 20, 20, 20], [39, 39, 1, 1]]
    )
    # A side that the canvas holds keeps its pixels.
    scaled = resize.scale_boxes(boxes, sizes, tf.constant([[150, 150]] * 3))
    np.testing.assert_array_equal(
        scaled, [[0, 0, 100, 150], [50, 75, 50, 75], [99, 149, 1, 1]]
    )
    np.testing.assert_array_equal(resize.scale_boxes(boxes, sizes, sizes), boxes)
