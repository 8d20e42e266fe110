"""Views by keras-cv's own layers, the baseline for those of this package."""

from __future__ import annotations

from collections.abc import Callable

import keras_cv
import tensorflow as tf


def stock_view(
    size: int, strength: float, *, blur: bool
) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function from a batch of images to one view of each.

    It combines keras-cv's own layers as its documentation suggests.

    Args:
      size: side of the views, in pixels.
      strength: of the colour jitter.
      blur: whether half of the views are blurred.
    """
    layers = keras_cv.layers
    apply = layers.RandomApply
    spread = 0.8 * strength
    chain = [
        layers.Rescaling(1.0 / 255.0),
        layers.RandomCropAndResize((size, size), (0.08, 1.0), (3 / 4, 4 / 3)),
        layers.RandomFlip("horizontal"),
        apply(
            layers.RandomColorJitter(
                (0.0, 1.0), spread, min(spread, 1.0), min(spread, 1.0), 0.2 * strength
            ),
            rate=0.8,
        ),
        apply(layers.Grayscale(output_channels=3), rate=0.2),
    ]
    if blur:
        chain.append(stock_blur(size))

    def view(images: tf.Tensor) -> tf.Tensor:
        images = tf.cast(images, tf.float32)
        for layer in chain:
            images = layer(images, training=True)
        return images

    return view


def stock_blur(size: int) -> tf.keras.layers.Layer:
    """keras-cv's blur of half of the images."""
    layers = keras_cv.layers
    blur = layers.RandomGaussianBlur(size // 10 | 1, (0.1, 2.0))
    return layers.RandomApply(blur, rate=0.5)
