"""What a file of published weights holds, whatever names it gives them."""

from __future__ import annotations

import abc
from collections.abc import Collection, Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from simclr_tf.encoder.convolution import BatchNormRelu, Convolution
from simclr_tf.encoder.resnet import ResNet
from simclr_tf.encoder.selective_kernel import SelectiveKernel
from simclr_tf.head import ProjectionHead

BATCH_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
# By the number of convolutions, with selective kernels and without.
_PLAIN = {21: 18, 37: 34, 53: 50, 104: 101, 155: 152, 203: 200}
_SELECTIVE = {87: 50, 172: 101, 257: 152, 337: 200}


class Pair(NamedTuple):
    """A variable of a model and its name in the file."""

    variable: tf.Variable
    name: str


class Left(NamedTuple):
    """Names of weights that a file holds beyond those asked for."""

    encoder: list[str]
    projection_head: list[str]
    others: list[str]


class Layout(abc.ABC):
    """The weights of a file, by the names that it gives them.

    Attributes:
      torchvision: whether its encoder is torchvision's ResNet, which pads otherwise.
      head_layers: layers of its projection head; None where it holds no head that
        `ProjectionHead` can be.
    """

    torchvision = False
    head_layers: int | None = None

    @abc.abstractmethod
    def value(self, name: str) -> np.ndarray | None:
        """What goes into a variable, in the variable's shape; None where it is not."""

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape that a weight has in the file."""
        return np.shape(self.value(name))

    @abc.abstractmethod
    def encoder_pairs(self, encoder: ResNet) -> list[Pair]:
        """The encoder's variables; those that are not in the file by a name for it."""

    @abc.abstractmethod
    def head_pairs(self, head: ProjectionHead) -> list[Pair]:
        """The head's variables; none where the file has no head."""

    @abc.abstractmethod
    def probe_pairs(self, probe: tf.keras.layers.Dense) -> list[Pair]:
        """The classifier's variables; none where the file has no classifier."""

    @abc.abstractmethod
    def left(self, names: Collection[str]) -> Left:
        """Names of weights that are not among `names`."""

    @abc.abstractmethod
    def kernels(self) -> list[tuple[int, ...]]:
        """Shapes of the encoder's convolutions `(h, w, in, out)`, the stem's first."""

    def encoder_name(self) -> str | None:
        """The name of the encoder for `make_encoder`, as far as shapes tell."""
        shapes = self.kernels()
        if not shapes:
            return None
        selective = shapes[0][:2] == (3, 3) and len(shapes) in _SELECTIVE
        depth = (_SELECTIVE if selective else _PLAIN).get(len(shapes))
        if depth is None:
            return None
        width = shapes[2 if selective else 0][-1] / 64
        kind = "-torch" if self.torchvision else "-sk" if selective else ""
        return f"resnet{depth}{'' if width == 1 else f'x{width:g}'}{kind}"

    def has_cifar_stem(self) -> bool:
        """Whether the stem is for small images: 3x3, and not of ResNet-D."""
        shapes = self.kernels()
        return bool(shapes) and shapes[0][:2] == (3, 3) and len(shapes) in _PLAIN


def layers_in_order(encoder: ResNet) -> Iterator[tf.keras.layers.Layer]:
    """Convolutions and batch norms as the published code makes them.

    The convolution of a block's shortcut comes before those of its branch.
    """
    yield from _layers(encoder.stem)
    for group in encoder.groups:
        for block in group.layers:
            if block.shortcut is not None:
                yield from _layers(block.shortcut)
            yield from _layers(block.branch)


def _layers(part: tf.keras.Sequential) -> Iterator[tf.keras.layers.Layer]:
    for layer in part.layers:
        if isinstance(layer, Convolution):
            yield layer.convolution
        elif isinstance(layer, BatchNormRelu):
            yield layer.batch_normalization
        elif isinstance(layer, SelectiveKernel):
            yield from _layers(layer.streams)
            yield from _layers(layer.mixing)


def batch_norm_pairs(
    layer: tf.keras.layers.BatchNormalization, path: str
) -> Iterator[Pair]:
    """A batch norm's variables, by the names that TensorFlow gives them."""
    for name in BATCH_NORM:
        variable = getattr(layer, name)
        if variable is not None:
            yield Pair(variable, f"{path}/{name}")


def head_layer_pairs(
    layer: tf.keras.Sequential, dense: str, batch_norm: str
) -> Iterator[Pair]:
    """The variables of a layer of the head, given its two parts' paths."""
    for step in layer.layers:
        if isinstance(step, tf.keras.layers.Dense):
            yield Pair(step.kernel, f"{dense}/kernel")
            if step.use_bias:
                yield Pair(step.bias, f"{dense}/bias")
        elif isinstance(step, tf.keras.layers.BatchNormalization):
            yield from batch_norm_pairs(step, batch_norm)
