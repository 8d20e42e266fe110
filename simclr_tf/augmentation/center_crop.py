"""The one deterministic view that evaluation, embedding and export see."""

from __future__ import annotations

import tensorflow as tf

from simclr_tf.augmentation.base import image_sizes, to_unit_range
from simclr_tf.augmentation.resize import crop_and_resize, scale_boxes
from simclr_tf.image_size import ImageSize, height_and_width

# The published code evaluates small images whole.
_SMALL_SIDE = 32
_CROP_PROPORTION = 0.875


def evaluation_view(
    images: tf.Tensor,
    image_size: ImageSize,
    *,
    sizes: tf.Tensor | None = None,
    crop_proportion: float | None = None,
    antialias: bool = True,
) -> tf.Tensor:
    """Centre square of each image, resized bicubically and clipped.

    For views that are not square it is the largest rectangle of their ratio, or that
    share of it.

    The published code does not antialias, so that of a large photograph only a few
    pixels count; here all do, unless `antialias` is False.

    Args:
      images: `[B, H, W, C]`, uint8 or floating point in [0, 1]; H and W may be
        unknown until the graph runs.
      image_size: side of the result in pixels, or height and width.
      sizes: int32 `[B, 2]`, heights and widths of the originals where `images`
        are canvases that hold them, see `scale_boxes`.
      crop_proportion: the square's side as a share of the image's shorter side;
        by default 0.875, or 1 where a side of `image_size` is 32 or less, as published.
      antialias: whether each pixel counts, however much the square shrinks.

    Returns:
      float `[B, h, w, C]` in [0, 1], in Keras' `floatx`.
    """
    height, width = height_and_width(image_size)
    images = to_unit_range(images, tf.keras.backend.floatx())
    canvas = image_sizes(images)
    sizes = canvas if sizes is None else tf.cast(sizes, tf.int32)
    boxes = centre_boxes(sizes, image_size, crop_proportion)
    boxes = scale_boxes(boxes, sizes, canvas)
    view = crop_and_resize(images, boxes, height, width, antialias=antialias)
    return tf.clip_by_value(view, 0.0, 1.0)


def centre_boxes(
    sizes: tf.Tensor, image_size: ImageSize, crop_proportion: float | None = None
) -> tf.Tensor:
    """The part of each image that `evaluation_view` shows.

    Args:
      sizes: int32 `[B, 2]`, heights and widths of the images.
      image_size: see `evaluation_view`.
      crop_proportion: see `evaluation_view`.

    Returns:
      int32 `[B, 4]`, rows `(y, x, h, w)` in pixels.
    """
    height, width = height_and_width(image_size)
    if crop_proportion is None:
        small = min(height, width) <= _SMALL_SIDE
        crop_proportion = 1.0 if small else _CROP_PROPORTION
    sides = _largest(sizes, height, width) * crop_proportion
    sides = tf.maximum(tf.cast(tf.round(sides), tf.int32), 1)
    begin = (sizes - sides + 1) // 2
    return tf.concat([begin, sides], axis=1)


def _largest(sizes: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """The largest rectangles of a ratio in images of `sizes`: float `[B, 2]`."""
    # In units of which the rectangle's shorter side has one: of a square, pixels.
    shorter = min(height, width)
    ratio = tf.constant([[height / shorter, width / shorter]], tf.float32)
    fits = tf.reduce_min(tf.cast(sizes, tf.float32) / ratio, axis=1, keepdims=True)
    return fits * ratio
