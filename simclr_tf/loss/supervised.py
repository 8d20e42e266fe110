"""Supervised contrastive loss (Khosla et al. 2020): images of a class attract."""

from __future__ import annotations

import tensorflow as tf

from simclr_tf.distribution.replicas import gather
from simclr_tf.loss.class_numbers import class_numbers
from simclr_tf.loss.sides import BLOCK, Contrast, Sides, checked, make_sides
from simclr_tf.loss.sums_by_id import sums_by_id
from simclr_tf.loss.tiled_logsumexp import tiled_logsumexp


def supcon(
    z_a: tf.Tensor,
    z_b: tf.Tensor,
    labels: tf.Tensor,
    *,
    temperature: float = 0.1,
    normalize: bool = True,
    block_size: int | None = None,
) -> Contrast:
    """The supervised contrastive loss ("Supervised Contrastive Learning", equation 2).

    An anchor's positives are all other views of images of its class, on all replicas;
    its loss is the mean over them of the cross entropy that NT-Xent has for one. An
    image without a label is a class of its own, so that without labels this is
    `nt_xent`. In a replica context the mean of the values over replicas is the loss of
    the global batch.

    Args:
      z_a: projections of the first views, floating point `[n, d]`.
      z_b: projections of the second views, `[n, d]`.
      labels: whole numbers `[n]` from 0, or -1 where unknown.
      temperature: what similarities are divided by, > 0 and finite.
      normalize: whether rows are first scaled to length 1.
      block_size: most anchors and candidates compared at a time; 1,024 where None.

    Returns:
      The loss, in float32 or in float64 when given float64; the share of anchors
      whose nearest candidate is of their class; and the mean entropy, in nats, of the
      distribution over an anchor's 2N-1 candidates.

    Raises:
      UserError: if shapes differ, `temperature` or `block_size` is out of its
        range, or labels are other numbers, see `class_numbers`.
    """
    z_a, z_b = checked(z_a, z_b, temperature, block_size)
    sides = make_sides(z_a, z_b, temperature=temperature, normalize=normalize)
    block = block_size or BLOCK
    ids, candidate_ids = _class_ids(labels, sides)
    rows = tiled_logsumexp(
        sides.anchors, sides.candidates, sides.own, (ids, candidate_ids), block
    )
    # The anchor itself is among the views of its class, and no positive.
    ones = tf.ones_like(sides.candidates[:, :1])
    summed = sums_by_id(
        ids, candidate_ids, tf.concat([sides.candidates, ones], axis=1), block
    )
    itself = sides.anchors * temperature
    counts = tf.stop_gradient(summed[:, -1]) - 1.0
    products = tf.reduce_sum(sides.anchors * (summed[:, :-1] - itself), axis=1)
    return Contrast(
        loss=tf.reduce_mean(rows.logsumexp - products / counts),
        accuracy=rows.accuracy(),
        entropy=rows.entropy(),
    )


def _class_ids(labels: tf.Tensor, sides: Sides) -> tuple[tf.Tensor, tf.Tensor]:
    """Ids of anchors `[2n]` and candidates `[2N]`, equal for images of one class."""
    everywhere = tf.reshape(gather(class_numbers(labels)), [-1])
    _, images = sides.image_ids()
    known = tf.tile(everywhere, [2])
    candidate_ids = tf.where(known >= 0, known, -1 - images)
    return tf.gather(candidate_ids, sides.own), candidate_ids
