"""Metrics of the contrastive task."""

from __future__ import annotations

import tensorflow as tf


def accuracy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Share of anchors that are `hits`, a scalar in [0, 1] in the logits' dtype."""
    return tf.reduce_mean(tf.cast(hits(logits, labels), logits.dtype))


def hits(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Which anchors' positives outrank every other candidate.

    A tie is a miss, so that collapsed projections score 0.

    Args:
      logits: floating point `[anchors, candidates]`.
      labels: int32 `[anchors]`, the positives' columns.

    Returns:
      bool `[anchors]`.
    """
    columns = tf.shape(logits)[1]
    mask = tf.one_hot(labels, columns, on_value=True, off_value=False, dtype=tf.bool)
    lowest = tf.constant(logits.dtype.min, logits.dtype)
    positive = tf.reduce_max(tf.where(mask, logits, lowest), axis=1)
    negative = tf.reduce_max(tf.where(mask, lowest, logits), axis=1)
    return positive > negative


def entropy(logits: tf.Tensor) -> tf.Tensor:
    """Mean entropy in nats of the softmax over each row of `[anchors, candidates]`."""
    log_probability = tf.nn.log_softmax(logits, axis=1)
    weighted = tf.exp(log_probability) * log_probability
    return -tf.reduce_mean(tf.reduce_sum(weighted, axis=1))
