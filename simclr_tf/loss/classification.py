"""Cross entropy of labels that may be missing, over all replicas."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from simclr_tf.distribution.replicas import gather, num_replicas


class Classification(NamedTuple):
    """What a classifier's logits are worth; scalars in the logits' dtype.

    `share_of_loss` is what is minimised: its mean over replicas is the mean cross
    entropy over the known labels of all of them; likewise `share_of_accuracy`. `loss`
    and `accuracy` are means over this replica's known labels, and 0 where it knows
    none. `labelled` is how many labels all replicas know.
    """

    share_of_loss: tf.Tensor
    share_of_accuracy: tf.Tensor
    loss: tf.Tensor
    accuracy: tf.Tensor
    labelled: tf.Tensor


def classify(logits: tf.Tensor, labels: tf.Tensor) -> Classification:
    """Compares logits with labels, where these are known.

    Replicas may know different numbers of labels. An image without a label has no
    part in any of the results; without any label on any replica they are 0.

    Args:
      logits: floating point `[n, K]`.
      labels: int32 `[n]`, below K, or -1 where unknown.
    """
    known = tf.cast(labels >= 0, logits.dtype)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
        tf.maximum(labels, 0), logits
    )
    guess = tf.argmax(logits, axis=1, output_type=labels.dtype)
    right = tf.cast(guess == labels, logits.dtype)
    here = tf.reduce_sum(known)
    labelled = tf.reduce_sum(gather(here))
    everywhere = tf.maximum(labelled, 1.0)
    total, count = tf.reduce_sum(known * losses), tf.reduce_sum(right)
    return Classification(
        share_of_loss=total * num_replicas() / everywhere,
        share_of_accuracy=count * num_replicas() / everywhere,
        loss=tf.math.divide_no_nan(total, here),
        accuracy=tf.math.divide_no_nan(count, here),
        labelled=labelled,
    )
