"""The convolution every block is made of: fixed padding, batch norm, ReLU."""

from __future__ import annotations

import tensorflow as tf

from simclr_tf.encoder.sync_batch_normalization import SyncBatchNormalization

BATCH_NORM_EPSILON = 1e-5


def fixed_padding(kernel_size: int) -> tf.keras.layers.ZeroPadding2D:
    """Padding for strided convolutions that does not depend on the image size."""
    total = kernel_size - 1
    begin = total // 2
    return tf.keras.layers.ZeroPadding2D(((begin, total - begin),) * 2)


class Convolution(tf.keras.layers.Layer):
    """Bias-free convolution, padded the same at any image size.

    Args:
      filters: channels of the result.
      kernel_size: side of the kernel.
      strides: step of the kernel.
      **kwargs: of `tf.keras.layers.Layer`.
    """

    def __init__(
        self, filters: int, kernel_size: int, strides: int = 1, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        self.padding = fixed_padding(kernel_size) if strides > 1 else None
        self.convolution = tf.keras.layers.Conv2D(
            filters,
            kernel_size,
            strides,
            padding="valid" if strides > 1 else "same",
            use_bias=False,
            kernel_initializer=tf.keras.initializers.VarianceScaling(),
            name="convolution",
        )

    def call(self, images: tf.Tensor) -> tf.Tensor:
        if self.padding is not None:
            images = self.padding(images)
        return self.convolution(images)


class BatchNormRelu(tf.keras.layers.Layer):
    """Batch norm over the global batch, then ReLU.

    Args:
      momentum: of the moving statistics.
      relu: whether a ReLU follows.
      zero_gamma: whether the scale starts at 0, which makes a residual branch
        start as nothing.
      **kwargs: of `tf.keras.layers.Layer`.
    """

    def __init__(
        self,
        momentum: float,
        *,
        relu: bool = True,
        zero_gamma: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.relu = relu
        self.batch_normalization = SyncBatchNormalization(
            momentum=momentum,
            epsilon=BATCH_NORM_EPSILON,
            gamma_initializer="zeros" if zero_gamma else "ones",
            name="batch_normalization",
        )

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        images = self.batch_normalization(images, training=training)
        return tf.nn.relu(images) if self.relu else images
