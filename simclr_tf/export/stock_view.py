"""The evaluation view in layers that Keras itself has."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from simclr_tf.augmentation import evaluation_view, known_in_range
from simclr_tf.export.fixed_view import fixed_view
from simclr_tf.image_size import ImageSize


def stock_view(
    images: tf.Tensor, image_size: ImageSize, input_size: ImageSize | None
) -> tf.Tensor:
    """What the encoder sees of images, computed by stock layers.

    Args:
      images: Keras' symbolic images `[B, H, W, C]`, floating point in [0, 1].
      image_size: side of the views in pixels, or height and width.
      input_size: of the images. None for any: the layers are then TensorFlow's
        operations, which Keras 2 loads and Keras 3 does not.
    """
    if input_size is None:
        with known_in_range():
            return evaluation_view(images, image_size)
    view = fixed_view(input_size, image_size)
    if view.cropping is not None:
        return tf.keras.layers.Cropping2D(view.cropping, name="view")(images)
    resized = _product(images, "rows", "bhwc,hi->biwc", view.rows)
    resized = _product(resized, "columns", "biwc,wj->bijc", view.columns)
    # What cubic interpolation overshoots is clipped.
    return tf.keras.layers.ReLU(max_value=1.0, name="view")(resized)


def _product(
    images: tf.Tensor, name: str, equation: str, weights: np.ndarray
) -> tf.Tensor:
    """Rows or columns of `[out, in]` weighted sums of those of images."""
    shape = list(images.shape[1:])
    shape[0 if name == "rows" else 1] = len(weights)
    layer = tf.keras.layers.EinsumDense(
        equation, tuple(shape), trainable=False, name=name
    )
    resized = layer(images)
    layer.set_weights([weights.T])
    return resized
