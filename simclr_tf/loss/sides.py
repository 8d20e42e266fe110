"""The two sides of a contrastive comparison: anchors, and all replicas' candidates."""

from __future__ import annotations

import math
from typing import NamedTuple

import tensorflow as tf

from simclr_tf.distribution.replicas import gather, num_replicas, replica_index
from simclr_tf.errors import UserError

# A matrix of more similarities than this takes more than 8 MiB; blocks then take
# less memory and about the same time.
MOST_AT_ONCE = 2**21
BLOCK = 1024


class Contrast(NamedTuple):
    """What one comparison of two views gives; scalars in the loss' dtype."""

    loss: tf.Tensor
    accuracy: tf.Tensor
    entropy: tf.Tensor


class Sides(NamedTuple):
    """The two sides of the comparison.

    Anchors `[2n, d]`, already divided by the temperature; candidates `[2N, d]`,
    first views of all replicas, then second views; and for each anchor, int32
    `[2n]`, its own row and its other view's among the candidates.
    """

    anchors: tf.Tensor
    candidates: tf.Tensor
    own: tf.Tensor
    other: tf.Tensor

    @property
    def images(self) -> int | tf.Tensor:
        """Images of all replicas together, N."""
        return (self.candidates.shape[0] or tf.shape(self.candidates)[0]) // 2

    def image_ids(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Of which image each anchor `[2n]`, and each candidate `[2N]`, is a view."""
        return self.own % self.images, tf.range(2 * self.images) % self.images

    def positives(self, temperature: float) -> tf.Tensor:
        """Similarity of both views of each image over the temperature, `[n]`."""
        # The two halves of the anchors are one another's positives; both are divided by
        # the temperature already, their product twice.
        first, second = tf.split(self.anchors, 2, axis=0)
        return tf.reduce_sum(first * second, axis=-1) * temperature


def checked(
    z_a: tf.Tensor, z_b: tf.Tensor, temperature: float, block_size: int | None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Projections in float32, or in float64 when given float64.

    Raises:
      UserError: if shapes differ, or `temperature` or `block_size` is out of its
        range.
    """
    z_a, z_b = tf.convert_to_tensor(z_a), tf.convert_to_tensor(z_b)
    if z_a.shape.rank != 2 or not z_a.shape.is_compatible_with(z_b.shape):
        raise UserError(
            "z_a and z_b must be projections [n, d] of the same shape, got "
            f"{z_a.shape} and {z_b.shape}."
        )
    if not 0.0 < temperature < math.inf:
        raise UserError(
            f"temperature must be greater than 0 and finite, got {temperature}."
        )
    if block_size is not None and block_size < 1:
        raise UserError(f"block_size must be at least 1 or None, got {block_size}.")
    dtype = tf.float64 if z_a.dtype == tf.float64 else tf.float32
    return tf.cast(z_a, dtype), tf.cast(z_b, dtype)


def make_sides(
    z_a: tf.Tensor, z_b: tf.Tensor, *, temperature: float, normalize: bool = True
) -> Sides:
    """Both sides of a comparison of checked projections `[n, d]` of two views."""
    both = tf.stack([z_a, z_b])
    if normalize:
        both = tf.math.l2_normalize(both, axis=-1)
    local = z_a.shape[0] or tf.shape(z_a)[0]
    width = both.shape[-1]
    candidates = tf.transpose(gather(both), [1, 0, 2, 3])
    first = tf.range(local) + replica_index() * local
    second = first + local * num_replicas()
    return Sides(
        anchors=tf.reshape(both, [2 * local, width]) / temperature,
        candidates=tf.reshape(candidates, [2 * local * num_replicas(), width]),
        own=tf.concat([first, second], axis=0),
        other=tf.concat([second, first], axis=0),
    )
