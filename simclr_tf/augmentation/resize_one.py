"""Bicubic crop-and-resize of one image of any size, by operations of CPUs alone."""

from __future__ import annotations

import tensorflow as tf


def resize_crop(image: tf.Tensor, box: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """`resize.crop_and_resize` of one image, as `tf.image.resize` computes it.

    Args:
      image: `[H, W, C]` of any numeric dtype.
      box: int32 `[4]`, `(y, x, h, w)` in pixels, inside the image.
      height: rows of the result.
      width: columns of the result.

    Returns:
      float32 `[height, width, C]`, in the range of the image and a little beyond.
    """
    y, x, h, w = tf.unstack(box)
    crop = image[y : y + h, x : x + w]
    return tf.image.resize(crop, [height, width], "bicubic")


def resize_box(image: tf.Tensor, box: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """`resize_crop` of a box whose edges need not be those of pixels.

    Args:
      image: `[H, W, C]` of any numeric dtype.
      box: float32 `[4]`, `(y, x, h, w)` in pixels, inside the image.
      height: rows of the result.
      width: columns of the result.

    Returns:
      float32 `[height, width, C]`, as `resize_crop`.
    """
    first = tf.floor(box[:2])
    last = tf.math.ceil(box[:2] + box[2:])
    # Pixels outside of the box do not count, as in a crop that was cut out first.
    (top, left), (bottom, right) = (
        tf.unstack(tf.cast(edge, tf.int32)) for edge in (first, last)
    )
    scale = tf.constant([height, width], tf.float32) / box[2:]
    resized = tf.raw_ops.ScaleAndTranslate(
        images=image[None, top:bottom, left:right],
        size=[height, width],
        scale=scale,
        translation=(first - box[:2]) * scale,
        kernel_type="keyscubic",
        antialias=False,
    )
    return tf.ensure_shape(resized[0], [height, width, image.shape[-1]])
