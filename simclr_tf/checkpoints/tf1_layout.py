"""Weights as the published code for TensorFlow 1 saves them: names with numbers.

`base_model/conv2d[_n]/kernel` and `base_model/batch_normalization[_n]/gamma`, numbered
as the layers were made, the shortcut of a block before its branch;
`head_contrastive/nl_j/…` (`l_0` of a linear head) and `head_supervised/…`. Also of its
TensorFlow Hub modules.
"""

from __future__ import annotations

import re
from collections.abc import Collection

import numpy as np
import tensorflow as tf

from simclr_tf.checkpoints.layout import (
    BATCH_NORM,
    Layout,
    Left,
    Pair,
    batch_norm_pairs,
    head_layer_pairs,
    layers_in_order,
)
from simclr_tf.encoder.resnet import ResNet
from simclr_tf.head import ProjectionHead

_ENCODER, _HEAD = "base_model", "head_contrastive"
_CLASSIFIER = "head_supervised/linear_layer/dense"
# Whatever an optimizer adds has a name of its own after these.
_WEIGHT = re.compile(
    rf"({_ENCODER}|{_HEAD}|head_supervised)/.*\b(kernel|bias|{'|'.join(BATCH_NORM)})"
)
_NUMBERED = re.compile(rf"{_ENCODER}/(conv2d|batch_normalization)(?:_(\d+))?/.*")
_HEAD_LAYER = re.compile(rf"({_HEAD}/n?l_(\d+))/.*")


def is_tf1(names: Collection[str]) -> bool:
    """Whether a checkpoint's variables have these names."""
    return any(_NUMBERED.fullmatch(name) for name in names)


class Tf1Layout(Layout):
    """Weights of a checkpoint or TensorFlow Hub module of TensorFlow 1.

    Momentum slots, counters and the like are passed over.

    Args:
      reader: of the checkpoint, see `tf.train.load_checkpoint`.
    """

    def __init__(self, reader: tf.train.CheckpointReader) -> None:
        names = filter(_WEIGHT.fullmatch, reader.get_variable_to_shape_map())
        self._values = {name: reader.get_tensor(name) for name in names}
        found = [match for match in map(_HEAD_LAYER.fullmatch, self._values) if match]
        layers = {int(match[2]): match[1] for match in found}
        self._head = [layers[number] for number in sorted(layers)]
        self.head_layers = len(self._head) or None

    def _numbered(self, kind: str) -> list[str]:
        """The encoder's layers of a kind, in the order in which they were made."""
        found = [match for match in map(_NUMBERED.fullmatch, self._values) if match]
        numbers = {int(match[2] or 0) for match in found if match[1] == kind}
        return [self._path(kind, number) for number in sorted(numbers)]

    @staticmethod
    def _path(kind: str, number: int) -> str:
        return f"{_ENCODER}/{kind}{f'_{number}' if number else ''}"

    def value(self, name: str) -> np.ndarray | None:
        return self._values.get(name)

    def kernels(self) -> list[tuple[int, ...]]:
        names = [f"{path}/kernel" for path in self._numbered("conv2d")]
        return [self._values[name].shape for name in names if name in self._values]

    def encoder_pairs(self, encoder: ResNet) -> list[Pair]:
        layers = [*layers_in_order(encoder)]
        # Where the file has fewer, the numbers past its last name what is missing.
        names = {
            kind: iter([*there, *(self._path(kind, n) for n in range(10**4))])
            for kind in ("conv2d", "batch_normalization")
            for there in [self._numbered(kind)]
        }
        pairs: list[Pair] = []
        used: set[str] = set()
        for layer in layers:
            is_norm = isinstance(layer, tf.keras.layers.BatchNormalization)
            kind = "batch_normalization" if is_norm else "conv2d"
            path = next(name for name in names[kind] if name not in used)
            used.add(path)
            if is_norm:
                pairs += batch_norm_pairs(layer, path)
            else:
                pairs.append(Pair(layer.kernel, f"{path}/kernel"))
        return pairs

    def head_pairs(self, head: ProjectionHead) -> list[Pair]:
        if not self._head:
            return []
        more = (f"{_HEAD}/nl_{place}" for place in range(len(self._head), 4))
        pairs: list[Pair] = []
        for layer, path in zip(head.layers, [*self._head, *more]):
            batch_norm = f"{path}/batch_normalization"
            pairs += head_layer_pairs(layer, f"{path}/dense", batch_norm)
        return pairs

    def probe_pairs(self, probe: tf.keras.layers.Dense) -> list[Pair]:
        if f"{_CLASSIFIER}/kernel" not in self._values:
            return []
        return [
            Pair(probe.kernel, f"{_CLASSIFIER}/kernel"),
            Pair(probe.bias, f"{_CLASSIFIER}/bias"),
        ]

    def left(self, names: Collection[str]) -> Left:
        rest = sorted(set(self._values) - set(names))
        parts = (_ENCODER, _HEAD, "head_supervised")
        return Left(*([n for n in rest if n.startswith(f"{p}/")] for p in parts))
