"""Signatures and the callable answer like the model."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.export.exported import SIDE, SIZES, assert_answers, expected, photographs

# One process, so that the model is exported once.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("exported")]


def test_uint8_float_and_jpeg_are_alike(loaded):
    images = photographs(61, 47)
    signatures = loaded.signatures
    whole = signatures["serving_uint8"](images=images)
    assert_answers(signatures["serving_default"](images=images / 255), whole)
    encoded = [
        tf.io.encode_jpeg(i, quality=100, chroma_downsampling=False) for i in images
    ]
    spread = tf.math.reduce_std(whole["features"], axis=0).numpy().mean()
    got = signatures["jpeg"](bytes=tf.stack(encoded))
    difference = np.abs(got["features"] - whole["features"]).mean()
    assert difference < 0.2 * spread


def test_jpegs_of_different_sizes_make_one_batch(model, loaded):
    images = [photographs(*size, count=1) for size in SIZES]
    encoded = [tf.io.encode_jpeg(image[0]) for image in images]
    encoded.append(tf.io.encode_jpeg(images[0][0, ..., :1]))
    got = loaded.signatures["jpeg"](bytes=tf.stack(encoded))
    for row, data in enumerate(encoded):
        image = tf.io.decode_jpeg(data, channels=3)[None]
        one = {name: value[row : row + 1] for name, value in got.items()}
        assert_answers(one, expected(model, image, SIDE))


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64])
def test_the_callable_takes_numpy_arrays_by_their_dtype(loaded, dtype):
    images = photographs(61, 47)
    scale = 1 if dtype == np.uint8 else 255
    got = loaded((images.numpy() / scale).astype(dtype))
    atol = 1e-2 if dtype == np.float16 else 1e-5
    np.testing.assert_allclose(got, loaded(images), atol=atol)


def test_no_images_have_no_features(loaded):
    for name, argument, nothing in (
        ("serving_default", "images", np.zeros([0, 9, 7, 3], np.float32)),
        ("serving_uint8", "images", np.zeros([0, 9, 7, 3], np.uint8)),
        ("serving_0_255", "images_0_255", np.zeros([0, 9, 7, 3], np.float32)),
        ("jpeg", "bytes", tf.zeros([0], tf.string)),
    ):
        got = loaded.signatures[name](**{argument: nothing})
        assert {output: value.shape for output, value in got.items()} == {
            "features": (0, 16),
            "projection": (0, 5),
        }
    assert loaded(np.zeros([0, 9, 7, 3], np.float32)).shape == (0, 16)


def test_without_image_size_images_keep_theirs(model, any_size, any_size_folder):
    jpegs = []
    for height, width in SIZES:
        images = photographs(height, width)
        want = expected(model, images, None)
        assert_answers(any_size.signatures["serving_uint8"](images=images), want)
        assert_answers(
            any_size.signatures["serving_default"](images=images / 255), want
        )
        np.testing.assert_allclose(any_size(images), want["features"], atol=1e-5)
        jpegs.append(tf.io.encode_jpeg(images[0]))
    got = any_size.signatures["jpeg"](bytes=tf.stack(jpegs))
    for row, data in enumerate(jpegs):
        one = {name: value[row : row + 1] for name, value in got.items()}
        assert_answers(one, expected(model, tf.io.decode_jpeg(data)[None], None))
    assert (
        json.loads((any_size_folder / "simclr.json").read_text())["image_size"] is None
    )


def test_a_frozen_encoder_can_be_fine_tuned_again(any_size):
    assert len(any_size.trainable_variables) == 5
