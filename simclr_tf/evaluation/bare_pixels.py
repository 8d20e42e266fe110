"""What images are worth without an encoder: their pixels as features."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from simclr_tf.augmentation import to_unit_range


def bare_pixels(side: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function for `encode` from images `[B, H, W, C]` to pixels `[B, side² C]`.

    The features of a small picture of each image: its layout and colours, and none of
    its details. Means over areas make it, in float32, for images larger than `side`.

    Args:
      side: of that picture, in pixels.
    """

    def pixels(images: tf.Tensor) -> tf.Tensor:
        small = to_unit_range(images, tf.float32)
        if images.shape[1:3] != (side, side):
            small = tf.image.resize(small, [side, side], method="area")
        return tf.reshape(small, [-1, side * side * images.shape[-1]])

    return pixels
