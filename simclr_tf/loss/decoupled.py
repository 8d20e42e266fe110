"""Decoupled contrastive loss (Yeh et al. 2022): positives are in no denominator."""

from __future__ import annotations

import tensorflow as tf

from simclr_tf.loss.sides import BLOCK, Contrast, checked, make_sides
from simclr_tf.loss.tiled_logsumexp import tiled_logsumexp


def dcl(
    z_a: tf.Tensor,
    z_b: tf.Tensor,
    *,
    temperature: float = 0.1,
    normalize: bool = True,
    block_size: int | None = None,
) -> Contrast:
    """The decoupled contrastive loss ("Decoupled Contrastive Learning", section 3).

    NT-Xent whose denominator sums over the 2N-2 negatives alone, so that an anchor
    close to its positive still learns from its negatives, also in small batches. In a
    replica context as `nt_xent`: negatives of all replicas, and the mean of the values
    over replicas is the loss of the global batch.

    Args:
      z_a: projections of the first views, floating point `[n, d]`.
      z_b: projections of the second views, `[n, d]`; row i is the positive of
        row i of `z_a`.
      temperature: what similarities are divided by, > 0 and finite.
      normalize: whether rows are first scaled to length 1.
      block_size: most anchors and candidates compared at a time; 1,024 where None.

    Returns:
      The loss, in float32 or in float64 when given float64; the share of anchors
      whose positive outranks all negatives; and the mean entropy, in nats, of the
      softmax over an anchor's negatives.

    Raises:
      UserError: if shapes differ, or `temperature` or `block_size` is out of its
        range.
    """
    z_a, z_b = checked(z_a, z_b, temperature, block_size)
    sides = make_sides(z_a, z_b, temperature=temperature, normalize=normalize)
    rows = tiled_logsumexp(
        sides.anchors,
        sides.candidates,
        sides.own,
        sides.image_ids(),
        block_size or BLOCK,
        negatives_alone=True,
    )
    positives = tf.reduce_mean(sides.positives(temperature))
    return Contrast(
        loss=tf.reduce_mean(rows.logsumexp) - positives,
        accuracy=rows.accuracy(),
        entropy=rows.entropy(),
    )
