"""Colour arithmetic on batches, one parameter per image.

Each function takes floating-point images `[B, H, W, 3]` and parameters `[B]`,
returns images of the same shape and does not clip. `channels` is the axis of the
channels, if not the last: 2 for `[B, H, 3, W]`. Brightness and contrast take images of
any channels C, and parameters `[B, C]` too, one for each channel. Values agree with the
`tf.image` ops that the published code uses; hue and saturation are written as
rotations and scalings about the largest channel, which saves the conversion to HSV
and back.
"""

from __future__ import annotations

import tensorflow as tf

from simclr_tf.augmentation.base import per_image

# ITU-R 601 luma, as tf.image.rgb_to_grayscale.
_LUMA = (0.2989, 0.5870, 0.1140)


def scale_brightness(
    images: tf.Tensor, factor: tf.Tensor, channels: int = 3
) -> tf.Tensor:
    """Multiplies by `factor` (the rule of SimCLR v2)."""
    return images * _to_meet_images(factor, channels)


def add_brightness(images: tf.Tensor, delta: tf.Tensor, channels: int = 3) -> tf.Tensor:
    """Adds `delta`, in units of the [0, 1] range (the rule of SimCLR v1)."""
    return images + _to_meet_images(delta, channels)


def adjust_contrast(
    images: tf.Tensor, factor: tf.Tensor, channels: int = 3
) -> tf.Tensor:
    """Scales the distance to each channel's mean over the image by `factor`."""
    # One axis at a time, the contiguous one first.
    mean = tf.reduce_mean(images, axis=5 - channels, keepdims=True)
    mean = tf.reduce_mean(mean, axis=1, keepdims=True)
    return mean + (images - mean) * _to_meet_images(factor, channels)


def _to_meet_images(parameter: tf.Tensor, channels: int) -> tf.Tensor:
    """`[B]` or `[B, C]` to a shape that images broadcast with."""
    if parameter.shape.rank == 1:
        return per_image(parameter)
    if channels == 3:
        return parameter[:, None, None, :]
    return parameter[:, None, :, None]


def adjust_saturation(
    images: tf.Tensor, factor: tf.Tensor, channels: int = 3
) -> tf.Tensor:
    """Multiplies the HSV saturation by `factor` >= 0, capped at 1."""
    planes = tf.unstack(images, axis=channels)
    value, chroma = _value_and_chroma(*planes)
    # S' / S = min(factor, 1 / S), and 1 / S = value / chroma.
    cap = tf.math.divide_no_nan(value, chroma)
    scale = tf.minimum(factor[:, None, None], cap)
    return tf.stack([value - (value - x) * scale for x in planes], axis=channels)


def adjust_hue(images: tf.Tensor, delta: tf.Tensor, channels: int = 3) -> tf.Tensor:
    """Rotates the HSV hue by `delta`, in turns of the colour circle."""
    red, green, blue = tf.unstack(images, axis=channels)
    value, chroma = _value_and_chroma(red, green, blue)
    # Hue in sixths of a turn, multiplied by chroma: so nothing is divided by chroma,
    # which may be 0. The largest channel gives the sector.
    hue = tf.where(
        value == red,
        green - blue,
        tf.where(value == green, blue - red + 2.0 * chroma, red - green + 4.0 * chroma),
    )
    hue += 6.0 * (delta - tf.round(delta))[:, None, None] * chroma
    turn = 6.0 * chroma
    hue = tf.where(hue < 0.0, hue + turn, tf.where(hue < turn, hue, hue - turn))

    def lit(amount: tf.Tensor) -> tf.Tensor:
        return value - chroma + tf.clip_by_value(amount, 0.0, chroma)

    turned = [
        lit(tf.abs(hue - 3.0 * chroma) - chroma),
        lit(2.0 * chroma - tf.abs(hue - 2.0 * chroma)),
        lit(2.0 * chroma - tf.abs(hue - 4.0 * chroma)),
    ]
    return tf.stack(turned, axis=channels)


def _value_and_chroma(
    red: tf.Tensor, green: tf.Tensor, blue: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """The largest channel, and by how much it exceeds the smallest."""
    value = tf.maximum(tf.maximum(red, green), blue)
    return value, value - tf.minimum(tf.minimum(red, green), blue)


def to_grayscale(images: tf.Tensor, channels: int = 3) -> tf.Tensor:
    """Luma in all three channels."""
    planes = tf.split(images, 3, axis=channels)
    gray = tf.add_n([share * plane for share, plane in zip(_LUMA, planes)])
    return tf.concat([gray] * 3, axis=channels)
