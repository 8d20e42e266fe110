"""Images that no signature may take are refused, one by one."""

import io

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from tests.export.exported import SIDE, assert_answers, expected, photographs

# One process, so that the model is exported once.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("exported")]


def test_dtypes_are_never_mistaken(loaded):
    images = photographs(61, 47)
    pixels = images.numpy()
    with pytest.raises(tf.errors.InvalidArgumentError, match="float tensor but is a u"):
        loaded.signatures["serving_default"](images=images)
    for call in (
        lambda: loaded.signatures["serving_default"](images=pixels),
        lambda: loaded.signatures["serving_default"](images=pixels / 127.5 - 1),
        lambda: loaded(tf.cast(images, tf.float32)),
        lambda: loaded(pixels.tolist()),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"floating .* \[0, 1"):
            call()
    with pytest.raises(ValueError, match="Could not find matching concrete function"):
        loaded(tf.cast(images, tf.int32))


def refused_images(images):
    """Of images in [0, 1] `[H, W, 3]`: what a server's clients send by mistake."""
    one_pixel = images.copy()
    one_pixel[3, 5, 1] = 1.6
    holed = images.copy()
    holed[0, 0, 0] = np.nan
    return {
        "standardised": (images - images.mean()) / images.std(),
        "pixels": 255 * images,
        "one pixel of 1.6": one_pixel,
        "not a number": holed,
        "infinite": np.where(images > 0.5, np.inf, images),
        "huge": np.full_like(images, 3e38),
    }


def answers_beside(signature, argument, good, bad):
    """Outputs for [good, bad, good] are those for the good alone, and NaN."""
    alone = signature(**{argument: np.stack([good])})
    together = signature(**{argument: np.stack([good, bad, good])})
    for name, rows in together.items():
        for row in (0, 2):
            np.testing.assert_allclose(rows[row], alone[name][0], rtol=0, atol=1e-6)
        assert np.isnan(rows[1]).all(), name
    with pytest.raises(tf.errors.InvalidArgumentError, match="Not a single image is"):
        signature(**{argument: np.stack([bad, bad])})


@pytest.mark.parametrize("kind", refused_images(np.zeros([8, 8, 3]) + 0.1))
def test_an_image_out_of_range_is_refused_and_costs_no_other_client(loaded, kind):
    good = (photographs(61, 47, count=1)[0].numpy() / 255).astype(np.float32)
    bad = refused_images(good)[kind].astype(np.float32)
    answers_beside(loaded.signatures["serving_default"], "images", good, bad)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[1\].*index\] \[2\]"):
        loaded(np.stack([good, good, bad]))


def test_floats_of_pixels_have_a_signature_of_their_own(model, loaded):
    images = photographs(61, 47)
    signature = loaded.signatures["serving_0_255"]
    got = signature(images_0_255=images.numpy())
    assert_answers(got, expected(model, images, SIDE))
    good = images[0].numpy().astype(np.float32)
    for bad in (good / 255, good / 127.5 - 1, good * 255, good + np.nan):
        answers_beside(signature, "images_0_255", good, bad)
    black = np.zeros([1, 61, 47, 3], np.float32)
    got = signature(images_0_255=black)
    assert_answers(got, expected(model, black, SIDE))


def unreadable_files(image):
    """What a client sends that is no image, or one that was damaged on its way."""

    def written(form):
        file = io.BytesIO()
        PIL.Image.fromarray(image).save(file, form)
        return file.getvalue()

    files = {form: written(form) for form in ("JPEG", "PNG", "GIF", "BMP")}
    damaged = {f"half a {f}": data[: len(data) // 2] for f, data in files.items()}
    changed = bytearray(files["PNG"])
    changed[len(changed) // 2] ^= 0xFF
    size = files["JPEG"].index(b"\xff\xc0") + 5
    claim = (40_000).to_bytes(2, "big")
    vast = files["JPEG"][:size] + 2 * claim + files["JPEG"][size + 4 :]
    return {
        **damaged,
        "a changed PNG": bytes(changed),
        "1.6e9 pixels": vast,
        "a JPEG's beginning": files["JPEG"][:30],
        "two bytes": b"\xff\xd8",
        "nothing": b"",
        "a page": b"<html>",
        "a kind that newer TensorFlow alone decodes": written("WEBP"),
    }


@pytest.mark.parametrize("image_size", [SIDE, None])
def test_a_file_that_cannot_be_read_costs_no_other_client(
    model, loaded, any_size, image_size
):
    signature = (loaded if image_size else any_size).signatures["jpeg"]
    image = photographs(61, 47, count=1)[0]
    jpeg, png = tf.io.encode_jpeg(image), tf.io.encode_png(image)
    bad = unreadable_files(image.numpy())
    got = signature(bytes=tf.stack([jpeg, *bad.values(), png]))
    alone = signature(bytes=jpeg[None])
    whole = expected(model, image[None], image_size)
    for name, rows in got.items():
        np.testing.assert_allclose(rows[0], alone[name][0], rtol=0, atol=1e-6)
        np.testing.assert_allclose(rows[-1], whole[name][0], rtol=0, atol=1e-5)
        for kind, row in zip(bad, rows[1:-1]):
            assert np.isnan(row).all(), (name, kind)
    with pytest.raises(tf.errors.InvalidArgumentError, match="contents of JPEG"):
        signature(bytes=tf.constant([bad["half a JPEG"], b"<html>"]))


@pytest.mark.parametrize("shape", [[3, 48, 48, 1], [3, 48, 48, 4], [2, 0, 9, 3]])
def test_a_signature_holds_tensors_to_its_shape(loaded, shape):
    """TensorFlow does not: it would read other pixels out of these."""
    for name, argument, dtype in (
        ("serving_default", "images", tf.float32),
        ("serving_uint8", "images", tf.uint8),
        ("serving_0_255", "images_0_255", tf.float32),
    ):
        images = tf.zeros(shape, dtype)
        with pytest.raises(tf.errors.InvalidArgumentError, match="images must be RGB"):
            loaded.signatures[name](**{argument: images})


def test_overshoot_of_resizing_is_let_through(loaded):
    stripes = tf.cast(
        tf.random.stateless_uniform([2, 9, 9, 3], [1, 2]) > 0.5, tf.float32
    )
    images = tf.image.resize(stripes, [SIDE, SIDE], method="bicubic")
    assert tf.reduce_max(images) > 1.1
    loaded(images)
