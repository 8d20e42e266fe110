"""NT-Xent: the normalised temperature-scaled cross entropy of equation 1."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from simclr_tf.loss import contrastive_metrics
from simclr_tf.loss.sides import (
    BLOCK,
    MOST_AT_ONCE,
    Contrast,
    Sides,
    checked,
    make_sides,
)
from simclr_tf.loss.tiled_logsumexp import tiled_logsumexp


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

    On TPUs and on GPUs with TF32, TensorFlow multiplies float32 numbers in fewer
    bits unless `tf.config.experimental.enable_tensor_float_32_execution(False)`
    was called, as `make_strategy` does.

    Examples:
      >>> z = tf.eye(4)
      >>> f"{simclr_tf.nt_xent(z, z, temperature=1.0).numpy():.4f}"  # log(e + 6) - 1
      '1.1654'

    Args:
      z_a: projections of the first views, floating point `[n, d]`.
      z_b: projections of the second views, `[n, d]`; row i is the positive of
        row i of `z_a`.
      temperature: what similarities are divided by, > 0 and finite.
      normalize: whether rows are first scaled to length 1.
      block_size: a number compares that many anchors and candidates at a time and never
        holds the matrix `2n x 2N`, with the same values and gradients within
        rounding. None chooses: all at once up to 2 million similarities, blocks of
        1,024 beyond.

    Returns:
      A scalar, computed in float32, or in float64 when given float64.

    Raises:
      UserError: if shapes differ, or `temperature` or `block_size` is out of its
        range.
    """
    z_a, z_b = checked(z_a, z_b, temperature, block_size)
    settings = _Settings(temperature, block_size, metrics=False)
    sides = make_sides(z_a, z_b, temperature=temperature, normalize=normalize)
    return tf.reduce_mean(_compare(sides, settings).losses)


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
    z_a, z_b = checked(z_a, z_b, temperature, block_size)
    settings = _Settings(temperature, block_size, metrics=True)
    sides = make_sides(z_a, z_b, temperature=temperature, normalize=normalize)
    terms = _compare(sides, settings)
    return Contrast(tf.reduce_mean(terms.losses), terms.accuracy, terms.entropy)


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class NTXent(tf.keras.losses.Loss):
    """`nt_xent` as a Keras loss over `(z_a, z_b)`.

    An example's loss is the mean of its two terms, as anchor in either view; their mean
    is `nt_xent`. `reduction="none"` returns them, `[n]`, and `sample_weight` `[n]`
    weighs them. An example of weight 0 stays a negative of the others.

    Examples:
      >>> loss = simclr_tf.NTXent(temperature=0.2)
      >>> z = tf.eye(4)
      >>> bool(loss(z, z) < loss(z, tf.roll(z, 1, axis=0)))
      True

    Args:
      temperature: what similarities are divided by, > 0 and finite.
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
        """Projections `[n, d]` of the two views to a loss of each example, `[n]`."""
        z_a, z_b = checked(z_a, z_b, self.temperature, self.block_size)
        sides = make_sides(
            z_a, z_b, temperature=self.temperature, normalize=self.normalize
        )
        settings = _Settings(self.temperature, self.block_size, metrics=False)
        losses = _compare(sides, settings).losses
        return tf.reduce_mean(tf.reshape(losses, [2, -1]), axis=0)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "temperature": self.temperature,
            "normalize": self.normalize,
            "block_size": self.block_size,
        }


class _Settings(NamedTuple):
    temperature: float
    block_size: int | None
    metrics: bool


class _Terms(NamedTuple):
    """The loss of each anchor, `[2n]`; scalars of `Contrast`, or 0 without metrics."""

    losses: tf.Tensor
    accuracy: tf.Tensor
    entropy: tf.Tensor


def _compare(sides: Sides, settings: _Settings) -> _Terms:
    if settings.block_size is not None:
        return _compare_tiled(sides, settings, settings.block_size)
    rows, columns = sides.anchors.shape[0], sides.candidates.shape[0]
    if rows is None or columns is None:
        size = tf.size(sides.own, tf.int64) * tf.size(sides.candidates[:, 0], tf.int64)
        return tf.cond(
            size > MOST_AT_ONCE,
            lambda: _compare_tiled(sides, settings, BLOCK),
            lambda: _compare_whole(sides, settings),
        )
    if rows * columns > MOST_AT_ONCE:
        return _compare_tiled(sides, settings, BLOCK)
    return _compare_whole(sides, settings)


def _compare_whole(sides: Sides, settings: _Settings) -> _Terms:
    logits = tf.matmul(sides.anchors, sides.candidates, transpose_b=True)
    columns = tf.shape(sides.candidates)[0]
    itself = tf.one_hot(
        sides.own, columns, on_value=True, off_value=False, dtype=tf.bool
    )
    logits = tf.where(itself, tf.constant(-1e9, logits.dtype), logits)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(sides.other, logits)
    if not settings.metrics:
        zero = tf.zeros([], losses.dtype)
        return _Terms(losses, zero, zero)
    logits = tf.stop_gradient(logits)
    return _Terms(
        losses,
        contrastive_metrics.accuracy(logits, sides.other),
        contrastive_metrics.entropy(logits),
    )


def _compare_tiled(sides: Sides, settings: _Settings, block_size: int) -> _Terms:
    rows = tiled_logsumexp(
        sides.anchors,
        sides.candidates,
        sides.own,
        sides.image_ids(),
        block_size,
        metrics=settings.metrics,
    )
    losses = rows.logsumexp - tf.tile(sides.positives(settings.temperature), [2])
    return _Terms(losses, rows.accuracy(), rows.entropy())
