"""The online linear probe: classes read off representations while they are learned."""

from __future__ import annotations

import tensorflow as tf

from simclr_tf.loss.classification import classify


def make_probe(num_classes: int) -> tf.keras.layers.Layer:
    """A layer from representations `[B, D]` to logits `[B, num_classes]`."""
    return tf.keras.layers.Dense(
        num_classes,
        kernel_initializer=tf.keras.initializers.RandomNormal(stddev=0.01),
        dtype=tf.keras.backend.floatx(),
        name="probe",
    )


def probe_values(logits: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
    """The probe's loss and accuracy.

    Args:
      logits: `[n, num_classes]` of this replica.
      labels: int32 `[n]`, -1 where unknown.

    Returns:
      Scalars: means over this replica's labelled examples, and as `share_of_…` what
      this replica adds to the mean of the global batch, and `labelled`, see
      `Classification`.
    """
    found = classify(logits, labels)
    return {
        "share_of_probe_loss": found.share_of_loss,
        "share_of_probe_accuracy": found.share_of_accuracy,
        "probe_loss": found.loss,
        "probe_accuracy": found.accuracy,
        "labelled": found.labelled,
    }
