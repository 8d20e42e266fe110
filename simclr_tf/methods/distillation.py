"""Distillation: a student learns a teacher's answers on images without labels."""

from __future__ import annotations

from typing import Any, ClassVar

import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.loss.classification import classify
from simclr_tf.loss.distillation import distill
from simclr_tf.methods.method import Method


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class DistillationMethod(Method):
    """The loss of SimCLR v2's section 2.3, for a `Distiller`.

    Teacher and student see the same view of each image. With a weight of labels w the
    loss is (1 - w) times the mean of `distill` over all images, and w times the mean
    cross entropy over the labelled images of all replicas (equation 4, whose alpha is
    1 - w). `agreement` is the share of images whose likeliest class is the teacher's.

    Args:
      temperature: see `distill`.
      label_weight: w, from 0, for images without labels, to below 1.

    Raises:
      UserError: where one is out of its range.
    """

    drawn = 1
    num_views = 1
    measures = ("distillation_loss", "agreement")
    shown: ClassVar = {"agreement": "agreement"}
    compares_images = False

    def __init__(self, temperature: float = 1.0, label_weight: float = 0.0) -> None:
        if not 0.0 < temperature < float("inf"):
            raise UserError(f"temperature must be above 0, got {temperature:g}.")
        if not 0.0 <= label_weight < 1.0:
            raise UserError(
                f"label_weight must be 0 or more and below 1, got {label_weight:g}."
            )
        self.temperature = temperature
        self.label_weight = label_weight
        self.learns_from_labels = label_weight > 0.0

    def project(
        self, head: tf.keras.layers.Layer, features: tf.Tensor, *, training: bool
    ) -> tf.Tensor:
        """Representations and the teacher's logits `[n, D + K]` to both logits.

        Returns:
          `[n, 2K]`: the student's logits, then the teacher's.
        """
        h, taught = features[:, : -head.num_classes], features[:, -head.num_classes :]
        logits = head(h, training=training)
        return tf.concat([logits, tf.cast(taught, logits.dtype)], axis=1)

    def objective(
        self, projections: tf.Tensor, labels: tf.Tensor | None, seeds: tf.Tensor | None
    ) -> dict[str, tf.Tensor]:
        dtype = tf.float64 if projections.dtype == tf.float64 else tf.float32
        logits, taught = tf.split(tf.cast(projections, dtype), 2, axis=1)
        losses = distill(logits, taught, temperature=self.temperature)
        mean = tf.reduce_mean(losses)
        same = tf.argmax(logits, axis=1) == tf.argmax(taught, axis=1)
        loss = mean
        if self.label_weight:
            assert labels is not None
            of_labels = classify(logits, labels).share_of_loss
            loss = (1.0 - self.label_weight) * mean + self.label_weight * of_labels
        return {
            "loss": loss,
            "distillation_loss": mean,
            "agreement": tf.reduce_mean(tf.cast(same, dtype)),
        }

    def get_config(self) -> dict[str, Any]:
        return {"temperature": self.temperature, "label_weight": self.label_weight}
