"""Residual blocks, version 1.5: the stride sits on the 3x3 convolution."""

from __future__ import annotations

import tensorflow as tf

from simclr_tf.encoder.convolution import BatchNormRelu, Convolution, fixed_padding
from simclr_tf.encoder.rematerialize import rematerialize
from simclr_tf.encoder.selective_kernel import SelectiveKernel


class _Block(tf.keras.layers.Layer):
    """`relu(branch(x) + shortcut(x))`, the shortcut the identity where None."""

    branch: tf.keras.Sequential
    shortcut: tf.keras.Sequential | None
    rematerialize: bool

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

    Args:
      filters: channels of the result.
      strides: step of the first convolution.
      project: whether the shortcut is a projection.
      sk_ratio: of selective kernels; here it picks the ResNet-D shortcut alone,
        as in the published code.
      momentum: of batch norm's moving statistics.
      rematerialize: whether to compute activations again in the backward pass.
      **kwargs: of `tf.keras.layers.Layer`.
    """

    expansion = 1

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
        self.shortcut = _projection(filters, strides, sk_ratio, momentum, project)
        self.branch = tf.keras.Sequential(
            [
                Convolution(filters, 3, strides),
                BatchNormRelu(momentum),
                Convolution(filters, 3),
                BatchNormRelu(momentum, relu=False, zero_gamma=True),
            ],
            name="branch",
        )


class BottleneckBlock(_Block):
    """1x1, 3x3 and 1x1 convolutions, for ResNet 50 and deeper.

    Args:
      filters: channels of the inner convolutions; the result has four times as
        many.
      strides: step of the 3x3 convolution.
      project: whether the shortcut is a projection.
      sk_ratio: of selective kernels in place of the 3x3; 0 for none.
      momentum: of batch norm's moving statistics.
      rematerialize: whether to compute activations again in the backward pass.
      **kwargs: of `tf.keras.layers.Layer`.
    """

    expansion = 4

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
        if sk_ratio > 0:
            middle = [SelectiveKernel(filters, strides, sk_ratio, momentum)]
        else:
            middle = [Convolution(filters, 3, strides), BatchNormRelu(momentum)]
        self.branch = tf.keras.Sequential(
            [
                Convolution(filters, 1),
                BatchNormRelu(momentum),
                *middle,
                Convolution(wide, 1),
                BatchNormRelu(momentum, relu=False, zero_gamma=True),
            ],
            name="branch",
        )


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
