"""Colour arithmetic on RGB batches, one parameter per image.

Each function takes floating-point images `[B, H, W, 3]` and parameters `[B]`,
returns images of the same shape and does not clip. Values agree with the
`tf.image` ops that the published code uses; hue and saturation are written as
rotations and scalings about the largest channel, which spares the way through
HSV and back.
"""

from __future__ import annotations

import tensorflow as tf

from simclr_tf.augmentation.base import per_image

# ITU-R 601 luma, as tf.image.rgb_to_grayscale.
_LUMA = (0.2989, 0.5870, 0.1140)


def scale_brightness(images: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Multiplies by `factor` (the rule of SimCLR v2)."""
    return images * per_image(factor)


def add_brightness(images: tf.Tensor, delta: tf.Tensor) -> tf.Tensor:
    """Adds `delta`, in units of the [0, 1] range (the rule of SimCLR v1)."""
    return images + per_image(delta)


def adjust_contrast(images: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Scales the distance to each channel's mean over the image by `factor`."""
    mean = tf.reduce_mean(images, axis=[1, 2], keepdims=True)
    return mean + (images - mean) * per_image(factor)


def adjust_saturation(images: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Multiplies the HSV saturation by `factor` >= 0, capped at 1."""
    value = tf.reduce_max(images, axis=-1, keepdims=True)
    chroma = value - tf.reduce_min(images, axis=-1, keepdims=True)
    # S' / S = min(factor, 1 / S), and 1 / S = value / chroma.
    cap = tf.math.divide_no_nan(value, chroma)
    scale = tf.minimum(per_image(factor), cap)
    return value - (value - images) * scale


def adjust_hue(images: tf.Tensor, delta: tf.Tensor) -> tf.Tensor:
    """Rotates the HSV hue by `delta`, in turns of the colour circle."""
    red, green, blue = tf.unstack(images, axis=-1)
    value = tf.maximum(tf.maximum(red, green), blue)
    chroma = value - tf.minimum(tf.minimum(red, green), blue)
    # Hue in sixths of a turn, on the sector of the largest channel.
    inverse = tf.math.divide_no_nan(tf.ones_like(chroma), chroma)
    hue = tf.where(
        value == red,
        (green - blue) * inverse,
        tf.where(
            value == green,
            (blue - red) * inverse + 2.0,
            (red - green) * inverse + 4.0,
        ),
    )
    hue = hue + 6.0 * delta[:, None, None]

    def channel(offset: float) -> tf.Tensor:
        sector = hue + offset
        sector = sector - 6.0 * tf.floor(sector / 6.0)
        share = tf.clip_by_value(tf.minimum(sector, 4.0 - sector), 0.0, 1.0)
        return value - chroma * share

    return tf.stack([channel(5.0), channel(3.0), channel(1.0)], axis=-1)


def to_grayscale(images: tf.Tensor) -> tf.Tensor:
    """Luma in all three channels."""
    luma = tf.constant(_LUMA, images.dtype)
    gray = tf.reduce_sum(images * luma, axis=-1, keepdims=True)
    return tf.broadcast_to(gray, tf.shape(images))
