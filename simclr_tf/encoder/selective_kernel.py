"""Selective kernels: two streams of convolutions, mixed by attention."""

from __future__ import annotations

import tensorflow as tf

from simclr_tf.encoder.convolution import BatchNormRelu, Convolution

_MIN_MIXING_DIM = 32


class SelectiveKernel(tf.keras.layers.Layer):
    """Selective-kernel convolution (Li et al. 2019) as SimCLR v2 uses it.

    Both streams are 3x3; a softmax over the streams, computed from the image's
    mean, weighs them channel by channel.

    Args:
      filters: channels of the result.
      strides: step of the kernels.
      sk_ratio: width of the mixing layer relative to `filters`, > 0; it is never
        narrower than 32.
      momentum: of batch norm's moving statistics.
      **kwargs: of `tf.keras.layers.Layer`.
    """

    def __init__(
        self, filters: int, strides: int, sk_ratio: float, momentum: float, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        self.streams = tf.keras.Sequential(
            [Convolution(2 * filters, 3, strides), BatchNormRelu(momentum)],
            name="streams",
        )
        mixing_dim = max(int(filters * sk_ratio), _MIN_MIXING_DIM)
        self.mixing = tf.keras.Sequential(
            [
                Convolution(mixing_dim, 1),
                BatchNormRelu(momentum),
                Convolution(2 * filters, 1),
            ],
            name="mixing",
        )

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        both = tf.stack(tf.split(self.streams(images, training=training), 2, axis=-1))
        mean = tf.reduce_mean(tf.reduce_sum(both, axis=0), axis=[1, 2], keepdims=True)
        weights = self.mixing(mean, training=training)
        weights = tf.nn.softmax(tf.stack(tf.split(weights, 2, axis=-1)), axis=0)
        return tf.reduce_sum(both * weights, axis=0)
