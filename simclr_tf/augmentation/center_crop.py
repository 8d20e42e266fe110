"""The one deterministic view that evaluation, embedding and export see."""

from __future__ import annotations

import tensorflow as tf

from simclr_tf.augmentation.base import image_sizes, to_unit_range
from simclr_tf.augmentation.resize import crop_and_resize, scale_boxes

# The published code evaluates small images whole.
_SMALL_SIDE = 32
_CROP_PROPORTION = 0.875


def evaluation_view(
    images: tf.Tensor,
    image_size: int,
    *,
    sizes: tf.Tensor | None = None,
    crop_proportion: float | None = None,
    antialias: bool = True,
) -> tf.Tensor:
    """Centre square of each image, resized bicubically and clipped.

    The published code does not antialias, so that of a large photograph only a few
    pixels count; here all do, unless `antialias` is False.

    Args:
      images: `[B, H, W, C]`, uint8 or floating point in [0, 1]; H and W may be
        unknown until the graph runs.
      image_size: side of the result, in pixels.
      sizes: int32 `[B, 2]`, heights and widths of the originals where `images`
        are canvases that hold them, see `scale_boxes`.
      crop_proportion: the square's side as a share of the image's shorter side;
        by default 0.875, or 1 where `image_size` is 32 or less, as published.
      antialias: whether each pixel counts, however much the square shrinks.

    Returns:
      float `[B, image_size, image_size, C]` in [0, 1], in Keras' `floatx`.
    """
    if crop_proportion is None:
        crop_proportion = _CROP_PROPORTION if image_size > _SMALL_SIDE else 1.0
    images = to_unit_range(images, tf.keras.backend.floatx())
    canvas = image_sizes(images)
    sizes = canvas if sizes is None else tf.cast(sizes, tf.int32)
    short = tf.cast(tf.reduce_min(sizes, axis=1, keepdims=True), tf.float32)
    side = tf.maximum(tf.cast(tf.round(crop_proportion * short), tf.int32), 1)
    begin = (sizes - side + 1) // 2
    boxes = scale_boxes(tf.concat([begin, side, side], axis=1), sizes, canvas)
    view = crop_and_resize(images, boxes, image_size, image_size, antialias=antialias)
    return tf.clip_by_value(view, 0.0, 1.0)
