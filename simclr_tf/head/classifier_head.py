"""A classifier on what is kept of a projection head."""

from __future__ import annotations

import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.head.projection_head import ProjectionHead

_STDDEV = 0.01  # of new weights, as published


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class ClassifierHead(tf.keras.layers.Layer):
    """Maps representations `h` `[B, D]` to logits `[B, K]` (SimCLR v2, section 2.2).

    The first layers of a projection head, as `ProjectionHead` has them, then a linear
    classifier. With none of them kept it is the linear classifier of SimCLR v1.

    Args:
      num_classes: K, 2 or more.
      kept: the projection head whose layers are kept; None for no layer.
      **kwargs: of `tf.keras.layers.Layer`.

    Raises:
      UserError: where `num_classes` is out of its range.
    """

    def __init__(
        self, num_classes: int, *, kept: ProjectionHead | None = None, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        if num_classes < 2:
            raise UserError(f"num_classes must be 2 or more, got {num_classes}.")
        self.num_classes = num_classes
        self.kept = kept
        # Logits in full precision, whatever the layers before compute in.
        self.classes = tf.keras.layers.Dense(
            num_classes,
            kernel_initializer=tf.keras.initializers.RandomNormal(stddev=_STDDEV),
            dtype=tf.keras.backend.floatx(),
            name="classes",
        )

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """`h` to logits in Keras' `floatx`."""
        if self.kept is not None:
            inputs = self.kept(inputs, training=training)
        return self.classes(tf.cast(inputs, tf.keras.backend.floatx()))

    def get_config(self) -> dict:
        kept = self.kept and tf.keras.layers.serialize(self.kept)
        return {**super().get_config(), "num_classes": self.num_classes, "kept": kept}

    @classmethod
    def from_config(cls, config: dict) -> ClassifierHead:
        config = dict(config)
        if config["kept"] is not None:
            config["kept"] = tf.keras.layers.deserialize(config["kept"])
        return cls(**config)
