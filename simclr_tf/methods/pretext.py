"""What pretext tasks share: the encoder predicts which transformation was applied."""

from __future__ import annotations

import tensorflow as tf

from simclr_tf.distribution.replicas import (
    num_replicas,
    replica_index,
    rows_of_replicas,
)
from simclr_tf.methods.method import Method


class Pretext(Method):
    """Prediction, from the views, of which transformation was applied to the image.

    Two `measures`: the loss of the classifier, then its accuracy.
    """

    compares_images = False

    def classification(
        self, logits: tf.Tensor, classes: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Cross entropy of logits `[m, K]` and classes int32 `[m]`, and accuracy.

        The mean of `loss` over replicas is that of all their rows, also where an
        evaluation gives them different numbers; the measures are of this replica's.
        """
        dtype = tf.float64 if logits.dtype == tf.float64 else tf.float32
        logits = tf.cast(logits, dtype)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(classes, logits)
        guess = tf.argmax(logits, axis=1, output_type=tf.int32)
        loss = tf.reduce_mean(losses)
        accuracy = tf.reduce_mean(tf.cast(guess == classes, dtype))
        rows = rows_of_replicas(logits)
        # Exactly 1 where all replicas have as many.
        share = tf.cast(rows[replica_index()] * num_replicas(), dtype)
        share /= tf.cast(tf.maximum(tf.reduce_sum(rows), 1), dtype)
        measured = dict(zip(self.measures, (loss, accuracy)))
        return {"loss": loss * share, **measured}
