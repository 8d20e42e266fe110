"""Batch norm over the global batch of all replicas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from simclr_tf.distribution.replicas import (
    gather,
    gather_sizes_and_sum,
    num_replicas,
    require_equal_shares,
    sum_over_replicas,
)
from simclr_tf.encoder.rematerialize import recomputing
from simclr_tf.errors import UserError

# To gather the moments of R replicas takes one collective of 2RC numbers; to sum them
# takes two collectives of C. Up to this number of replicas they are gathered, because
# one collective has the lower latency.
_MOST_GATHERED = 4
_EARLIER = "sync_batch_normalization"
_REFUSED = (
    "renorm",
    "renorm_clipping",
    "renorm_momentum",
    "virtual_batch_size",
    "adjustment",
)


# The class bears another name than it is exported by: Keras has a
# SyncBatchNormalization of its own and warns of a second one whenever it saves.
@tf.keras.utils.register_keras_serializable(
    package="simclr_tf", name="SyncBatchNormalization"
)
class CrossReplicaBatchNormalization(tf.keras.layers.BatchNormalization):
    """Batch norm whose statistics are those of the global batch.

    Exported as `SyncBatchNormalization`. Takes the arguments of
    `tf.keras.layers.BatchNormalization`. On one replica, and in inference, it is that
    layer, fused kernel included. While training on several, replicas exchange their
    means and centred second moments and combine them by Chan's formula, which stays
    exact where E[x^2] - E[x]^2 would cancel. Up to 4 replicas do so in one collective,
    more in two of C numbers each; so do the gradients. Statistics are computed in
    float32 at least. Under a mask they are those of the values that are not masked,
    whatever the rank of the inputs.

    Examples:
      >>> norm = simclr_tf.SyncBatchNormalization(momentum=0.9)
      >>> normalised = norm(tf.random.uniform([64, 4]), training=True)
      >>> bool(tf.reduce_max(tf.abs(tf.reduce_mean(normalised, axis=0))) < 1e-3)
      True

    Raises:
      UserError: if given batch renormalisation, virtual batches or several axes.
      InvalidArgumentError: while training, if replicas hold different numbers of
        examples.
    """

    def __init__(self, axis: int = -1, **kwargs: object) -> None:
        refused = [name for name in _REFUSED if kwargs.pop(name, None)]
        if refused:
            raise UserError(
                f"SyncBatchNormalization does not take {', '.join(refused)}: take "
                "tf.keras.layers.BatchNormalization, whose statistics are those of "
                "each replica."
            )
        kwargs.pop("synchronized", None)  # It always is.
        axes = [axis] if isinstance(axis, int) else list(axis)
        if len(axes) != 1:
            raise UserError(
                f"SyncBatchNormalization normalises along one axis, got axis={axis}."
            )
        super().__init__(axis=axes[0], **kwargs)
        self._read_earlier = False

    def call(
        self,
        inputs: tf.Tensor,
        training: bool | None = None,
        mask: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Normalises.

        Args:
          inputs: floating point `[..., C]`.
          training: whether to take the batch's statistics or the moving averages.
          mask: bool of the inputs' leading axes, the channels' left out; where it is
            False, values do not count in the statistics.

        Returns:
          The inputs' shape and dtype.
        """
        if not training or not self.trainable:
            return super().call(inputs, training=training)
        if num_replicas() == 1 and mask is None:
            return super().call(inputs, training=training)
        dtype = tf.float64 if inputs.dtype == tf.float64 else tf.float32
        wide = tf.cast(inputs, dtype)
        axis = self.axis[0] % wide.shape.rank
        mean, variance, count = _global_moments(wide, axis, mask)
        if not recomputing():
            self._move_averages(mean, variance, count)

        shape = [1] * wide.shape.rank
        shape[axis] = -1
        scale = tf.math.rsqrt(variance + self.epsilon)
        if self.scale:
            scale *= tf.cast(self.gamma, dtype)
        normalised = (wide - tf.reshape(mean, shape)) * tf.reshape(scale, shape)
        if self.center:
            normalised += tf.reshape(tf.cast(self.beta, dtype), shape)
        return tf.cast(normalised, inputs.dtype)

    def load_own_variables(self, store: Any) -> None:
        """Keras' way to read the layer's weights from a file.

        Raises:
          UserError: where the file has none under today's name, see `read_earlier`.
        """
        if not self.weights or len(store):
            super().load_own_variables(store)
        elif not self._read_earlier:
            raise UserError(
                f"The file has no weights for the layer {self.name}. If an earlier "
                "simclr_tf saved it, which named these weights otherwise, let that "
                "version load it and write model.save_weights('weights'), and read "
                "those here with model.load_weights('weights')."
            )

    def add_update(self, updates: object) -> None:
        """Keras' way to move the averages."""
        if not recomputing():
            super().add_update(updates)

    def _move_averages(
        self, mean: tf.Tensor, variance: tf.Tensor, count: tf.Tensor
    ) -> None:
        if self.fused:
            # The fused kernel of one replica keeps the unbiased variance.
            variance *= count / tf.maximum(count - 1.0, 1.0)
        pairs = ((self.moving_mean, mean), (self.moving_variance, variance))
        for moving, now in pairs:
            now = tf.stop_gradient(tf.cast(now, moving.dtype))
            # Rounded to float32 as Keras rounds it, in float64 too.
            rate = tf.cast(tf.constant(1.0 - self.momentum, tf.float32), moving.dtype)
            # A batch that is masked whole has no statistics.
            rate = tf.where(count > 0.0, rate, tf.zeros_like(rate))
            moving.assign_sub((moving - now) * rate)


SyncBatchNormalization = CrossReplicaBatchNormalization


def read_earlier(layers: Sequence[tf.keras.layers.Layer], saved: Any) -> None:
    """Reads weights of batch norms that a file has under their earlier name.

    Keras names the weights within a list of layers by the layers' classes, and the
    class was called SyncBatchNormalization once.

    Args:
      layers: the layers of the list.
      saved: the list's group in an HDF5 file; of today's files nothing is read.
    """
    norms = [each for each in layers if isinstance(each, SyncBatchNormalization)]
    for place, norm in enumerate(norms):
        name = f"{_EARLIER}_{place}" if place else _EARLIER
        if name in saved:
            norm.load_own_variables(saved[name]["vars"])
            norm._read_earlier = True


class _Moments(NamedTuple):
    """Of one replica: mean `[C]`, sum of squares about it `[C]`, and their count."""

    mean: tf.Tensor
    centred: tf.Tensor
    count: tf.Tensor


def _global_moments(
    inputs: tf.Tensor, axis: int, mask: tf.Tensor | None
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Mean and biased variance `[C]` of all replicas along `axis`, and their count."""
    local = _local_moments(inputs, axis, mask)
    check_shares = mask is None and inputs.shape[0] is None
    if num_replicas() <= _MOST_GATHERED:
        return _combine_gathered(local, check_shares)
    return _combine_in_two_sums(local, check_shares)


def _local_moments(inputs: tf.Tensor, axis: int, mask: tf.Tensor | None) -> _Moments:
    others = [index for index in range(inputs.shape.rank) if index != axis]
    if mask is None:
        count = tf.reduce_prod(tf.gather(tf.shape(inputs), others))
        count = tf.cast(count, inputs.dtype)
        mean = tf.reduce_mean(inputs, axis=others, keepdims=True)
        centred = tf.reduce_sum(tf.square(inputs - mean), axis=others)
        return _Moments(tf.reshape(mean, [-1]), centred, count)
    mask = tf.cast(mask, tf.bool)
    # Of the inputs' rank: axes that the mask leaves out share its values.
    missing = inputs.shape.rank - 1 - mask.shape.rank
    mask = tf.reshape(mask, tf.concat([tf.shape(mask), [1] * missing], axis=0))
    kept = tf.broadcast_to(tf.expand_dims(mask, axis), tf.shape(inputs))
    count = tf.reduce_sum(tf.cast(tf.gather(kept, 0, axis=axis), inputs.dtype))
    some = tf.maximum(count, 1.0)
    values = tf.where(kept, inputs, 0.0)
    mean = tf.reduce_sum(values, axis=others, keepdims=True) / some
    centred = tf.where(kept, inputs - mean, 0.0)
    centred = tf.reduce_sum(tf.square(centred), axis=others)
    return _Moments(tf.reshape(mean, [-1]), centred, count)


def _combine_gathered(
    local: _Moments, check_shares: bool
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """In one collective of 2R(C + 1) numbers."""
    moments = tf.stack([local.mean, local.centred])
    moments = gather(tf.concat([moments, tf.fill([2, 1], local.count)], axis=1))
    counts = _checked(moments[:, 0, -1:], check_shares)
    means, centred = tf.unstack(moments[..., :-1], axis=1)
    count = tf.reduce_sum(counts)
    some = tf.maximum(count, 1.0)
    mean = tf.reduce_sum(counts * means, axis=0) / some
    between = tf.reduce_sum(counts * tf.square(means - mean), axis=0)
    return mean, (tf.reduce_sum(centred, axis=0) + between) / some, count


def _combine_in_two_sums(
    local: _Moments, check_shares: bool
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """In two collectives, of C + R and of C numbers."""
    total, counts = gather_sizes_and_sum(local.count, local.count * local.mean)
    count = tf.reduce_sum(_checked(counts, check_shares))
    some = tf.maximum(count, 1.0)
    mean = total / some
    # The sum of squares is least at the mean, so its gradient to the mean is zero.
    # Without that path the two gradients do not depend on one another, and XLA may
    # combine their collectives.
    between = local.count * tf.square(local.mean - tf.stop_gradient(mean))
    return mean, sum_over_replicas(local.centred + between) / some, count


def _checked(counts: tf.Tensor, check_shares: bool) -> tf.Tensor:
    if not check_shares:
        return counts
    with tf.control_dependencies([require_equal_shares(counts)]):
        return tf.identity(counts)
