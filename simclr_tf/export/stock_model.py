"""A model of stock Keras layers that answers images as an export does."""

from __future__ import annotations

import tensorflow as tf

from simclr_tf.export.served import Served
from simclr_tf.export.stock_layers import rebuild
from simclr_tf.export.stock_view import stock_view


def stock_model(served: Served) -> tf.keras.Model:
    """A Functional model of layers that Keras itself has, with the same weights.

    Returns:
      A model from images, float32 in [0, 1] `[B, H, W, C]`, to features `[B, D]`, or
      to probabilities `[B, K]` of a classifier. Its layer "features" gives features,
      of a classifier too.

    Raises:
      NotStock: where a layer of the encoder has no stock counterpart.
    """
    images = tf.keras.Input((*served.input_sides, served.channels), name="images")
    views = stock_view(images, served.image_size, served.input_size)
    outputs = rebuild(served.model.encoder, views)
    if len(outputs.shape) == 4:
        outputs = tf.keras.layers.GlobalAveragePooling2D()(outputs)
    outputs = tf.keras.layers.Activation("linear", name="features")(outputs)
    if served.classes is not None:
        outputs = rebuild(served.model.projection_head, outputs)
    name = "encoder" if served.classes is None else "classifier"
    return tf.keras.Model(images, outputs, name=name)
