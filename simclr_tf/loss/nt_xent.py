"""NT-Xent: the normalised temperature-scaled cross entropy of equation 1."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from simclr_tf.distribution.replicas import (
    gather,
    num_replicas,
    replica_index,
)
from simclr_tf.loss import contrastive_metrics
from simclr_tf.loss.tiled_logsumexp import RowStatistics, tiled_logsumexp


class Contrast(NamedTuple):
    """What one comparison of two views gives; scalars in the loss' dtype."""

    loss: tf.Tensor
    accuracy: tf.Tensor
    entropy: tf.Tensor


def nt_xent(
    z_a: tf.Tensor,
    z_b: tf.Tensor,
    *,
    temperature: float = 0.1,
    normalize: bool = True,
    block_size: int | None = None,
) -> tf.Tensor:
    """NT-Xent loss (SimCLR, equation 1, averaged over its 2N terms).

    In a replica context each anchor sees the negatives of all replicas, and the
    mean of the values over replicas is the loss of the global batch. Both views
    travel in one all-reduce of R * 2n * d numbers of w bytes (w = 4, or 8 in
    float64), of which each replica is the source of 2n * d, and its gradient in
    another: by rings a replica sends `2 * 2(R-1) * 2n * d * w` bytes a step.

    The published code adds the two directions where the paper averages its 2N
    terms: it optimises twice this (`SimCLR(loss_scale=2)` reproduces it). It
    masks an anchor's similarity to itself by subtracting 1e9, and we do too in
    effect: the term is a finite number far below all others.

    Args:
      z_a: projections of the first views, floating point `[n, d]`.
      z_b: projections of the second views, `[n, d]`; row i is the positive of
        row i of `z_a`.
      temperature: what similarities are divided by, > 0.
      normalize: whether rows are first scaled to length 1.
      block_size: None compares all at once, in memory `2n x 2N`; a number
        compares that many columns at a time and never holds the matrix, with
        the same values and gradients within rounding.

    Returns:
      A scalar, computed in float32, or in float64 when given float64.

    Raises:
      ValueError: where shapes differ, or `temperature` or `block_size` is not
        positive.
    """
    z_a, z_b = _checked(z_a, z_b, temperature, block_size)
    if block_size is None:
        return _compare(z_a, z_b, temperature, normalize)[0]
    return _compare_tiled(z_a, z_b, temperature, normalize, block_size)[0]


def contrast(
    z_a: tf.Tensor,
    z_b: tf.Tensor,
    *,
    temperature: float = 0.1,
    normalize: bool = True,
    block_size: int | None = None,
) -> Contrast:
    """`nt_xent` with its two metrics, from one comparison.

    Arguments and errors are those of `nt_xent`.

    Returns:
      The loss; the share of anchors whose positive outranks all 2N-2 negatives;
      the mean entropy, in nats, of the distribution over an anchor's 2N-1
      candidates. The published metrics look at one direction and at the other
      view's N candidates alone.
    """
    z_a, z_b = _checked(z_a, z_b, temperature, block_size)
    if block_size is None:
        loss, logits, labels = _compare(z_a, z_b, temperature, normalize)
        logits = tf.stop_gradient(logits)
        return Contrast(
            loss,
            contrastive_metrics.accuracy(logits, labels),
            contrastive_metrics.entropy(logits),
        )
    loss, rows = _compare_tiled(z_a, z_b, temperature, normalize, block_size)
    wins = tf.cast(rows.positive > rows.rival, loss.dtype)
    entropies = tf.stop_gradient(rows.logsumexp) - rows.expectation
    return Contrast(loss, tf.reduce_mean(wins), tf.reduce_mean(entropies))


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class NTXent(tf.keras.losses.Loss):
    """`nt_xent` as a Keras loss over `(z_a, z_b)`.

    Args:
      temperature: what similarities are divided by, > 0.
      normalize: whether rows are first scaled to length 1.
      block_size: see `nt_xent`.
      reduction: of `tf.keras.losses.Loss`.
      name: of the loss.
    """

    def __init__(
        self,
        temperature: float = 0.1,
        normalize: bool = True,
        block_size: int | None = None,
        reduction: str = "sum_over_batch_size",
        name: str = "nt_xent",
    ) -> None:
        super().__init__(reduction=reduction, name=name)
        self.temperature = temperature
        self.normalize = normalize
        self.block_size = block_size

    def call(self, z_a: tf.Tensor, z_b: tf.Tensor) -> tf.Tensor:
        """Projections `[n, d]` of the two views to a scalar."""
        return nt_xent(
            z_a,
            z_b,
            temperature=self.temperature,
            normalize=self.normalize,
            block_size=self.block_size,
        )

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "temperature": self.temperature,
            "normalize": self.normalize,
            "block_size": self.block_size,
        }


def _checked(
    z_a: tf.Tensor, z_b: tf.Tensor, temperature: float, block_size: int | None
) -> tuple[tf.Tensor, tf.Tensor]:
    z_a, z_b = tf.convert_to_tensor(z_a), tf.convert_to_tensor(z_b)
    if z_a.shape.rank != 2 or not z_a.shape.is_compatible_with(z_b.shape):
        raise ValueError(
            "z_a and z_b must be projections [n, d] of the same shape, got "
            f"{z_a.shape} and {z_b.shape}."
        )
    if not temperature > 0.0:
        raise ValueError(f"temperature must be greater than 0, got {temperature}.")
    if block_size is not None and block_size < 1:
        raise ValueError(f"block_size must be at least 1 or None, got {block_size}.")
    dtype = tf.float64 if z_a.dtype == tf.float64 else tf.float32
    return tf.cast(z_a, dtype), tf.cast(z_b, dtype)


class _Sides(NamedTuple):
    """The two sides of the comparison.

    Anchors `[2n, d]`, already divided by the temperature; candidates `[2N, d]`,
    first views of all replicas, then second views; and for each anchor, int32
    `[2n]`, its own row and its positive's among the candidates.
    """

    anchors: tf.Tensor
    candidates: tf.Tensor
    own: tf.Tensor
    positive: tf.Tensor


def _sides(
    z_a: tf.Tensor, z_b: tf.Tensor, temperature: float, normalize: bool
) -> _Sides:
    both = tf.stack([z_a, z_b])
    if normalize:
        both = tf.math.l2_normalize(both, axis=-1)
    local = tf.shape(z_a)[0]
    width = both.shape[-1]
    candidates = tf.reshape(tf.transpose(gather(both), [1, 0, 2, 3]), [-1, width])
    first = tf.range(local) + replica_index() * local
    second = first + local * num_replicas()
    return _Sides(
        anchors=tf.reshape(both, [-1, width]) / temperature,
        candidates=candidates,
        own=tf.concat([first, second], axis=0),
        positive=tf.concat([second, first], axis=0),
    )


def _compare(
    z_a: tf.Tensor, z_b: tf.Tensor, temperature: float, normalize: bool
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The loss, its masked logits `[2n, 2N]`, and positives' columns `[2n]`."""
    sides = _sides(z_a, z_b, temperature, normalize)
    logits = tf.matmul(sides.anchors, sides.candidates, transpose_b=True)
    columns = tf.shape(sides.candidates)[0]
    itself = tf.one_hot(
        sides.own, columns, on_value=True, off_value=False, dtype=tf.bool
    )
    logits = tf.where(itself, tf.constant(-1e9, logits.dtype), logits)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(sides.positive, logits)
    return tf.reduce_mean(losses), logits, sides.positive


def _compare_tiled(
    z_a: tf.Tensor,
    z_b: tf.Tensor,
    temperature: float,
    normalize: bool,
    block_size: int,
) -> tuple[tf.Tensor, RowStatistics]:
    """The loss, and each anchor's statistics."""
    sides = _sides(z_a, z_b, temperature, normalize)
    rows = tiled_logsumexp(*sides, block_size)
    local = tf.shape(z_a)[0]
    # The two halves of the anchors are one another's positives; the temperature
    # has already divided both.
    first, second = sides.anchors[:local], sides.anchors[local:]
    positives = tf.reduce_sum(first * second, axis=-1) * temperature
    return tf.reduce_mean(rows.logsumexp) - tf.reduce_mean(positives), rows
