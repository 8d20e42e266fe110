"""From which similarity on two images count as nearly the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from simclr_tf.augmentation.resize import crop_and_resize
from simclr_tf.search.neighbours import unit_rows

# Images whose copies are looked at, and the share of copies that must count.
SAMPLE, SHARE = 256, 0.95
_JPEG_QUALITY = 50
_TRIMMED = 0.02
_BRIGHTER = 1.05


def copy_similarities(
    encode: Callable[[tf.Tensor], np.ndarray], images: tf.Tensor
) -> np.ndarray:
    """How similar an encoder finds images and altered copies of them.

    Copies are what becomes of a picture that is passed on: saved as JPEG of quality 50,
    trimmed by 2 % on each side, made 5 % brighter. How similar they come out depends on
    the encoder, and tells what similarity means to it.

    Args:
      encode: from floating-point images in [0, 1] to features `[n, D]`.
      images: `[N, h, w, C]`, as the encoder sees them.

    Returns:
      float32 `[copies, N]`, cosines; without JPEG unless C is 1 or 3.
    """
    original = unit_rows(encode(images))
    return np.stack(
        [np.sum(original * unit_rows(encode(copy)), axis=1) for copy in _copies(images)]
    )


def threshold_of(similarities: np.ndarray) -> float:
    """The similarity that `SHARE` of all copies reach."""
    return float(np.quantile(similarities, 1.0 - SHARE))


def _copies(images: tf.Tensor) -> list[tf.Tensor]:
    count, height, width, channels = images.shape
    top, left = (max(1, round(_TRIMMED * side)) for side in (height, width))
    box = [top, left, height - 2 * top, width - 2 * left]
    boxes = tf.constant(np.tile(box, [count, 1]), tf.int32)
    trimmed = crop_and_resize(images, boxes, height, width)
    copies = [tf.clip_by_value(trimmed, 0.0, 1.0)]
    copies.append(tf.minimum(images * _BRIGHTER, 1.0))
    if channels in (1, 3):
        copies.append(tf.stack([_saved_as_jpeg(image) for image in images]))
    return [tf.cast(copy, images.dtype) for copy in copies]


def _saved_as_jpeg(image: tf.Tensor) -> tf.Tensor:
    pixels = tf.image.convert_image_dtype(image, tf.uint8, saturate=True)
    contents = tf.io.encode_jpeg(pixels, quality=_JPEG_QUALITY)
    saved = tf.io.decode_jpeg(contents, channels=image.shape[-1])
    return tf.image.convert_image_dtype(saved, image.dtype)
