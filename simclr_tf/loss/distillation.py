"""Distillation: a student's probabilities are brought close to a teacher's."""

from __future__ import annotations

import tensorflow as tf


def distill(
    logits: tf.Tensor, teacher_logits: tf.Tensor, *, temperature: float = 1.0
) -> tf.Tensor:
    """Cross entropy of a student's probabilities under a teacher's, of each image.

    Equation 3 of SimCLR v2 (section 2.3): both logits are divided by the temperature.
    The teacher learns nothing from it.

    Args:
      logits: the student's, floating point `[n, K]`.
      teacher_logits: the teacher's, of the same shape and dtype.
      temperature: above 0; the lower, the harder the teacher's choice.

    Returns:
      `[n]`, in the logits' dtype.
    """
    targets = tf.nn.softmax(tf.stop_gradient(teacher_logits) / temperature)
    return tf.nn.softmax_cross_entropy_with_logits(targets, logits / temperature)
