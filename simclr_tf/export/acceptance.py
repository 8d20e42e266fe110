"""Which images a served encoder accepts, image by image.

A server puts requests of several clients into one batch, and an error would fail all of
them. So an image out of range is answered with NaN, and only a batch without a single
acceptable image ends in an error, which says what is wrong. Where a converter or
compiler leaves checks out, the NaN remain.
"""

from __future__ import annotations

import tensorflow as tf

from simclr_tf.augmentation.value_range import HIGHEST, LOWEST

# The brightest value of an image in 0..255 that is not black throughout. Images in
# [0, 1] and standardised ones stay below.
_DIMMEST = 4.0
# How files begin: JPEG, PNG, GIF, BMP.
_FORMATS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM")
# What is decoded in place of a file that is none of these: one black pixel.
_NO_FILE = (
    b"GIF87a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00"
    b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
_STATED = (
    "images must be floating point in [0, 1], or uint8 (which has a signature of its "
    "own, serving_uint8); serving_0_255 takes floating point in 0..255"
)


def in_unit_range(images: tf.Tensor) -> tf.Tensor:
    """Which images are in [0, 1], but for what resizing overshoots.

    Args:
      images: floating point `[B, H, W, C]`.

    Returns:
      bool `[B]`; False for an image with a NaN.
    """
    inside = (images >= LOWEST) & (images <= HIGHEST)
    return tf.reduce_all(inside, axis=[1, 2, 3])


def in_pixel_range(images: tf.Tensor) -> tf.Tensor:
    """Which images are in 0..255, and neither in [0, 1] nor standardised.

    Args:
      images: floating point `[B, H, W, C]`.

    Returns:
      bool `[B]`; False for an image with a NaN.
    """
    inside = (images >= 255 * LOWEST) & (images <= 255 * HIGHEST)
    bright = tf.reduce_any(images >= _DIMMEST, axis=[1, 2, 3])
    black = tf.reduce_all(images == 0, axis=[1, 2, 3])
    return tf.reduce_all(inside, axis=[1, 2, 3]) & (bright | black)


def known_files(contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Which strings `[B]` begin as image files do, and the strings to decode.

    Returns:
      (bool `[B]`, strings `[B]`): the latter hold a tiny image for each of the others.
    """
    known = tf.zeros_like(contents, tf.bool)
    for start in _FORMATS:
        known |= tf.strings.substr(contents, 0, len(start)) == start
    message = ["bytes must be contents of JPEG, PNG, GIF or BMP files; none of them is"]
    with tf.control_dependencies([_any_or_empty(known, message)]):
        return known, tf.where(known, contents, _NO_FILE)


def require_channels(images: tf.Tensor, channels: int) -> tf.Tensor:
    """The images `[B, H, W, C]`; an error where they have another shape, or no pixels.

    A signature states shapes, but TensorFlow does not hold tensors to them, and takes
    the stated number of channels for the real one.
    """
    shape = tf.shape(images)
    right = tf.equal(tf.size(images), channels * tf.reduce_prod(shape[:3]))
    kind = "RGB " if channels == 3 else ""
    message = [
        f"images must be {kind}[B, H, W, {channels}] and have pixels, got shape",
        shape,
    ]
    check = tf.debugging.Assert(right & tf.reduce_all(shape[1:3] > 0), message)
    with tf.control_dependencies([check]):
        return tf.identity(images)


def require_any(images: tf.Tensor, accepted: tf.Tensor) -> tf.Tensor:
    """The images, black where not accepted; an error where none of them is."""
    message = [f"{_STATED}. Not a single image is: got values from"]
    with tf.control_dependencies([_any_or_empty(accepted, _found(message, images))]):
        return tf.where(accepted[:, None, None, None], images, tf.zeros_like(images))


def require_all(images: tf.Tensor, accepted: tf.Tensor) -> tf.Tensor:
    """The images; an error that names the first one that is not accepted."""
    refused = tf.cast(tf.logical_not(accepted), tf.int32)
    first = tf.reduce_min(tf.where(accepted, tf.size(accepted), _places(accepted)))
    message = [f"{_STATED}. Of", tf.size(refused), "images", tf.reduce_sum(refused)]
    message += ["are not, the first of them at index", first, "; got values from"]
    check = tf.debugging.Assert(tf.reduce_all(accepted), _found(message, images))
    with tf.control_dependencies([check]):
        return tf.identity(images)


def _places(accepted: tf.Tensor) -> tf.Tensor:
    return tf.range(tf.size(accepted))


def _found(message: list, images: tf.Tensor) -> list:
    return [*message, tf.reduce_min(images), "to", tf.reduce_max(images)]


def _any_or_empty(accepted: tf.Tensor, message: list) -> tf.Operation:
    return tf.debugging.Assert(
        tf.reduce_any(accepted) | tf.equal(tf.size(accepted), 0), message
    )
