"""Which images a served encoder accepts, image by image.

A server puts requests of several clients into one batch, and an error would fail all of
them. So an image out of range, or a file that cannot be read, is answered with NaN, and
only a batch without a single acceptable image ends in an error, which says what is
wrong. Where a converter or compiler leaves checks out, the NaN remain.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from simclr_tf.augmentation.value_range import HIGHEST, LOWEST

# The brightest value of an image in 0..255 that is not black throughout. Images in
# [0, 1] and standardised ones stay below.
_DIMMEST = 4.0
# How files begin: JPEG, PNG, GIF, BMP.
_FORMATS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM")
# Files that are read at once, at most.
_AT_ONCE = 16
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


def read_files(
    contents: tf.Tensor,
    read: Callable[[tf.Tensor], tf.Tensor],
    instead: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """What is read of each file, and which files could be read.

    Nothing in TensorFlow says beforehand whether a file can be decoded, and an error
    ends a graph; `tf.data` alone passes over elements that fail.

    Args:
      contents: strings `[B]`, the contents of image files.
      read: gives a tensor of a scalar string; an error there is that file's alone.
      instead: what stands in the row of a file that could not be read.

    Returns:
      (bool `[B]`, a row of each file in order).
    """
    count = tf.size(contents)

    def read_one(index: tf.Tensor, file: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.control_dependencies([tf.debugging.Assert(_is_known(file), [index])]):
            return index, read(tf.identity(file))

    rows = tf.data.Dataset.from_tensor_slices((tf.range(count), contents))
    rows = rows.map(read_one, num_parallel_calls=_AT_ONCE, deterministic=False)
    # The first row is nobody's, so that there is one where no file can be read.
    first = tf.data.Dataset.from_tensors((count, instead))
    rows = first.concatenate(rows.ignore_errors())
    indices, values = rows.batch(tf.cast(count, tf.int64) + 1).get_single_element()
    found = tf.range(tf.size(indices))
    # Zero, the first row, for the files that are missing.
    places = tf.scatter_nd(indices[:, None], found, [count + 1])[:count]
    accepted = places > 0
    message = [
        "bytes must be contents of JPEG, PNG, GIF or BMP files; none of them can be "
        "read as one"
    ]
    with tf.control_dependencies([_any_or_empty(accepted, message)]):
        return tf.identity(accepted), tf.gather(values, places)


def _is_known(file: tf.Tensor) -> tf.Tensor:
    """Whether a file begins as an image file does."""
    starts = [tf.strings.substr(file, 0, len(start)) == start for start in _FORMATS]
    return tf.reduce_any(starts)


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
