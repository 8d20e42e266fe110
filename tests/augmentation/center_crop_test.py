"""The evaluation view is the published centre crop."""

import numpy as np
import tensorflow as tf

from simclr_tf.augmentation import evaluation_view


def test_agrees_with_the_published_centre_crop(golden_folder):
    golden = np.load(golden_folder / "augment_ops.npz")
    got = evaluation_view(
        tf.constant(golden["images"]), 20, crop_proportion=0.875, antialias=False
    )
    np.testing.assert_allclose(got, golden["eval_center_crop_20x20"], atol=1e-6)


def test_small_square_images_pass_unchanged():
    images = tf.cast(
        tf.random.stateless_uniform([3, 32, 32, 3], [0, 1]) * 255, tf.uint8
    )
    got = evaluation_view(images, 32)
    np.testing.assert_allclose(got, tf.cast(images, tf.float32) / 255.0, atol=1e-7)


def test_images_of_unknown_size_inside_a_graph():
    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8)])
    def view(images):
        return evaluation_view(images, 48)

    for height, width in [(48, 48), (100, 60), (31, 200)]:
        images = tf.cast(tf.random.uniform([2, height, width, 3]) * 255, tf.uint8)
        np.testing.assert_allclose(view(images), evaluation_view(images, 48), atol=1e-6)


def test_a_canvas_gives_the_originals_square():
    original = tf.random.stateless_uniform([1, 120, 240, 3], [3, 1])
    smooth = tf.image.resize(tf.image.resize(original, [12, 24]), [120, 240])
    canvas = tf.image.resize(smooth, [120, 180])
    canvas = tf.image.pad_to_bounding_box(canvas, 0, 0, 180, 180)
    got = evaluation_view(canvas, 64, sizes=tf.constant([[120, 240]]))
    expected = evaluation_view(smooth, 64)
    assert float(tf.reduce_mean(tf.abs(got - expected))) < 0.01
