"""Batch norm over the global batch of all replicas."""

from __future__ import annotations

import tensorflow as tf

from simclr_tf.distribution.replicas import (
    gather,
    num_replicas,
    require_equal_shares,
)
from simclr_tf.encoder.rematerialize import recomputing


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class SyncBatchNormalization(tf.keras.layers.BatchNormalization):
    """Batch norm whose statistics are those of the global batch.

    Takes the arguments of `tf.keras.layers.BatchNormalization`. On one replica,
    and in inference, it is that layer, fused kernel included. While training on
    several, replicas exchange their means and centred second moments in one
    collective and combine them by Chan's formula, which stays exact where
    E[x^2] - E[x]^2 would cancel; gradients go back the same way. Statistics are
    computed in float32 at least.

    Replicas must hold equally many examples: `InvalidArgumentError` where they do not.
    """

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Floating point `[..., C]` to the same shape and dtype."""
        if num_replicas() == 1 or not training or not self.trainable:
            return super().call(inputs, training=training)
        dtype = tf.float64 if inputs.dtype == tf.float64 else tf.float32
        wide = tf.cast(inputs, dtype)
        axis = self.axis[0] % wide.shape.rank
        others = [place for place in range(wide.shape.rank) if place != axis]
        mean, variance, count = _global_moments(wide, others)
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
            moving.assign_sub((moving - now) * rate)


def _global_moments(
    inputs: tf.Tensor, axes: list[int]
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Mean and biased variance `[C]` over `axes` and replicas, and their count."""
    sizes = tf.gather(tf.shape(inputs), axes)
    local = tf.cast(tf.reduce_prod(sizes), inputs.dtype)
    local_mean = tf.reduce_mean(inputs, axis=axes, keepdims=True)
    centred = tf.reduce_sum(tf.square(inputs - local_mean), axis=axes)
    # The size travels with them, to be compared.
    moments = tf.stack([tf.reshape(local_mean, [-1]), centred])
    moments = gather(tf.concat([moments, tf.fill([2, 1], local)], axis=1))
    if inputs.shape[0] is None:
        with tf.control_dependencies([require_equal_shares(moments[:, 0, -1])]):
            moments = tf.identity(moments)
    moments = moments[..., :-1]
    means, moments = tf.unstack(moments, axis=1)
    mean = tf.reduce_mean(means, axis=0)
    between = local * tf.reduce_sum(tf.square(means - mean), axis=0)
    count = local * num_replicas()
    return mean, (tf.reduce_sum(moments, axis=0) + between) / count, count
