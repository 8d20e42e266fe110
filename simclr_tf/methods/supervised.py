"""Supervised: the encoder tells the classes of images, by their labels."""

from __future__ import annotations

import math
from typing import ClassVar

import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.loss.classification import classify
from simclr_tf.methods.method import Method


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class SupervisedMethod(Method):
    """Classification by cross entropy, the baseline with labels.

    One augmented view of each image, and a linear classifier of its representation,
    under SimCLR's augmentation (as the supervised row of SimCLR, table 1). The loss is
    the mean over the labelled images of all replicas; images without a label teach
    nothing.
    """

    drawn = 1
    num_views = 1
    measures = ("supervised_loss", "supervised_accuracy")
    shown: ClassVar = {
        "supervised loss": "supervised_loss",
        "acc": "supervised_accuracy",
    }
    compares_images = False
    learns_from_labels = True
    classifies = True

    def chance(self, images: int, num_classes: int | None) -> dict[str, float]:
        """Of a guess."""
        del images
        if not num_classes:
            return {}
        return {
            "supervised_loss": math.log(num_classes),
            "supervised_accuracy": 1.0 / num_classes,
        }

    def make_head(
        self,
        *,
        layers: int,
        hidden_dim: int | None,
        out_dim: int,
        num_classes: int | None = None,
    ) -> tf.keras.layers.Layer:
        """A linear classifier of `num_classes`.

        The other arguments are those of projection heads and are not used.

        Raises:
          UserError: where `num_classes` is not given, or less than 2.
        """
        if num_classes is None or num_classes < 2:
            raise UserError(
                f"{type(self).__name__} classifies images: give make_head "
                f"num_classes, 2 or more, got {num_classes}."
            )
        return tf.keras.layers.Dense(
            num_classes, dtype=tf.keras.backend.floatx(), name="classes"
        )

    def objective(
        self, projections: tf.Tensor, labels: tf.Tensor | None, seeds: tf.Tensor | None
    ) -> dict[str, tf.Tensor]:
        assert labels is not None
        dtype = tf.float64 if projections.dtype == tf.float64 else tf.float32
        found = classify(tf.cast(projections, dtype), labels)
        return {
            "loss": found.share_of_loss,
            "share_of_supervised_loss": found.share_of_loss,
            "share_of_supervised_accuracy": found.share_of_accuracy,
            "supervised_loss": found.loss,
            "supervised_accuracy": found.accuracy,
            "labelled": found.labelled,
        }
