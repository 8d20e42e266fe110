"""Residual blocks, version 1.5: the stride sits on the 3x3 convolution."""

from __future__ import annotations

import tensorflow as tf

from simclr_tf.encoder.convolution import BatchNormRelu, Convolution, fixed_padding
from simclr_tf.encoder.rematerialize import rematerialize
from simclr_tf.encoder.selective_kernel import SelectiveKernel


class _Block(tf.keras.layers.Layer):
    """`relu(branch(x) + shortcut(x))`.

    Args:
      filters: channels of the inner convolutions; the result has `expansion` times as
        many.
      strides: step of the first 3x3 convolution.
      project: whether the shortcut is a projection, and not the identity.
      sk_ratio: of selective kernels; 0 for none.
      momentum: of batch norm's moving statistics.
      rematerialize: whether to compute activations again in the backward pass.
      **kwargs: of `tf.keras.layers.Layer`.
    """

    expansion: int

    def __init__(
        self,
        filters: int,
        strides: int,
        *,
        project: bool,
        sk_ratio: float,
        momentum: float,
        rematerialize: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.rematerialize = rematerialize
        wide = self.expansion * filters
        self.shortcut = _projection(wide, strides, sk_ratio, momentum, project)
        self.branch = tf.keras.Sequential(
            self._branch(filters, strides, sk_ratio, momentum), name="branch"
        )

    def _branch(
        self, filters: int, strides: int, sk_ratio: float, momentum: float
    ) -> list[tf.keras.layers.Layer]:
        raise NotImplementedError(f"{type(self).__name__} must define _branch().")

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        if self.rematerialize and training:
            return rematerialize(lambda images: self._added(images, True), images)
        return self._added(images, training)

    def _added(self, images: tf.Tensor, training: bool | None) -> tf.Tensor:
        kept = images
        if self.shortcut is not None:
            kept = self.shortcut(images, training=training)
        return tf.nn.relu(self.branch(images, training=training) + kept)


class BasicBlock(_Block):
    """Two 3x3 convolutions, for ResNet 18 and 34.

    `sk_ratio` picks the ResNet-D shortcut alone, as in the published code.
    """

    expansion = 1

    def _branch(
        self, filters: int, strides: int, sk_ratio: float, momentum: float
    ) -> list[tf.keras.layers.Layer]:
        return [
            Convolution(filters, 3, strides),
            BatchNormRelu(momentum),
            Convolution(filters, 3),
            BatchNormRelu(momentum, relu=False, zero_gamma=True),
        ]


class BottleneckBlock(_Block):
    """1x1, 3x3 and 1x1 convolutions, for ResNet 50 and deeper.

    With `sk_ratio` above 0, selective kernels stand in place of the 3x3.
    """

    expansion = 4

    def _branch(
        self, filters: int, strides: int, sk_ratio: float, momentum: float
    ) -> list[tf.keras.layers.Layer]:
        if sk_ratio > 0:
            middle = [SelectiveKernel(filters, strides, sk_ratio, momentum)]
        else:
            middle = [Convolution(filters, 3, strides), BatchNormRelu(momentum)]
        return [
            Convolution(filters, 1),
            BatchNormRelu(momentum),
            *middle,
            Convolution(self.expansion * filters, 1),
            BatchNormRelu(momentum, relu=False, zero_gamma=True),
        ]


def _projection(
    filters: int, strides: int, sk_ratio: float, momentum: float, project: bool
) -> tf.keras.Sequential | None:
    """The shortcut of a group's first block; ResNet-D's with selective kernels."""
    if not project:
        return None
    if sk_ratio > 0:
        pool = tf.keras.layers.AveragePooling2D(
            2, strides, padding="valid" if strides > 1 else "same"
        )
        steps = [fixed_padding(2), pool] if strides > 1 else [pool]
        steps.append(Convolution(filters, 1))
    else:
        steps = [Convolution(filters, 1, strides)]
    steps.append(BatchNormRelu(momentum, relu=False))
    return tf.keras.Sequential(steps, name="shortcut")
