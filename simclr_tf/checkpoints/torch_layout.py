"""Weights of PyTorch ResNets, by the names in their state dicts.

torchvision's names, `layer1.0.conv1.weight`, whatever stands in front of them, as
`backbone.` of solo-learn, and places in an `nn.Sequential` of its children, as
`backbone.4.0.conv1.weight` of lightly.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

import numpy as np
import tensorflow as tf

from simclr_tf.checkpoints.layout import Layout, Left, Pair
from simclr_tf.encoder.resnet import ResNet
from simclr_tf.errors import UserError
from simclr_tf.head import ProjectionHead

_BATCH_NORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}
_FIRST_BLOCK = re.compile(
    r"(?P<prefix>(?:.+\.)?)(?P<group>layer1|\d+)\.0\.conv1\.weight"
)
# Copies of an encoder that follow it while it trains.
_FOLLOWS = re.compile(r"momentum|teacher|target|encoder_k|ema\b", re.IGNORECASE)
_CLASSIFIERS = ("fc", "linear", "classifier")
_SHORTCUTS = ("downsample", "shortcut")
_CHILDREN = ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4")


class TorchLayout(Layout):
    """Weights of a state dict that holds a ResNet.

    Counters (`num_batches_tracked`) are passed over. Projection heads are not read:
    those of PyTorch have offsets that `ProjectionHead` has not.

    Args:
      arrays: the state dict.
      path: of its file, for messages.

    Raises:
      UserError: where it holds no ResNet, or several.
    """

    torchvision = True

    def __init__(self, arrays: Mapping[str, np.ndarray], path: str) -> None:
        self._arrays = {
            name: value
            for name, value in arrays.items()
            if not name.endswith("num_batches_tracked")
        }
        prefix = _prefix(self._arrays, path)
        self._places = _places(self._arrays, prefix)
        self._classifier = _classifier(self._arrays, prefix)
        self._prefix = prefix

    def value(self, name: str) -> np.ndarray | None:
        value = self._arrays.get(name)
        if value is not None and value.ndim == 4:
            return value.transpose(2, 3, 1, 0)
        if value is not None and value.ndim == 2:
            return value.transpose()
        return value

    def shape(self, name: str) -> tuple[int, ...]:
        return self._arrays[name].shape

    def kernels(self) -> list[tuple[int, ...]]:
        stem = f"{self._place('conv1')}.weight"
        names = [stem, *(name for name in self._of_encoder() if name != stem)]
        values = map(self.value, names)
        shapes = [value.shape for value in values if value is not None]
        found = [shape for shape in shapes if len(shape) == 4]
        # Ours has a projection shortcut in the first group whatever the block.
        basic = not any(".conv3." in name for name in names)
        return [*found, *found[:1]] if basic else found

    def _place(self, child: str) -> str:
        return self._prefix + self._places.get(child, child)

    def _of_encoder(self) -> list[str]:
        """Names of the weights of the encoder's children."""
        children = tuple(f"{self._place(child)}." for child in _CHILDREN)
        return [name for name in self._arrays if name.startswith(children)]

    def encoder_pairs(self, encoder: ResNet) -> list[Pair]:
        stem = (self._place("conv1"), self._place("bn1"))
        pairs = [*self._pairs(encoder.stem, [stem])]
        for group_place, group in enumerate(encoder.groups):
            for place, block in enumerate(group.layers):
                path = f"{self._place(f'layer{group_place + 1}')}.{place}"
                units = [(f"{path}.conv{n}", f"{path}.bn{n}") for n in (1, 2, 3)]
                pairs += self._pairs(block.branch, units)
                if block.shortcut is not None:
                    name = self._shortcut(path)
                    pairs += self._pairs(block.shortcut, [(f"{name}.0", f"{name}.1")])
        return pairs

    def _shortcut(self, path: str) -> str:
        names = [f"{path}.{name}" for name in _SHORTCUTS]
        return next((n for n in names if f"{n}.0.weight" in self._arrays), names[0])

    @staticmethod
    def _pairs(
        part: tf.keras.Sequential, units: list[tuple[str, str]]
    ) -> Iterator[Pair]:
        """Convolutions and batch norms of a part, in turns."""
        layers = [layer for layer in part.layers if layer.variables]
        for (convolution, norm), first in zip(units, range(0, len(layers), 2)):
            kernel = layers[first].convolution.kernel
            yield Pair(kernel, f"{convolution}.weight")
            batch_norm = layers[first + 1].batch_normalization
            for theirs, ours in _BATCH_NORM.items():
                yield Pair(getattr(batch_norm, ours), f"{norm}.{theirs}")

    def head_pairs(self, head: ProjectionHead) -> list[Pair]:
        del head
        return []

    def probe_pairs(self, probe: tf.keras.layers.Dense) -> list[Pair]:
        if self._classifier is None:
            return []
        return [
            Pair(probe.kernel, f"{self._classifier}.weight"),
            Pair(probe.bias, f"{self._classifier}.bias"),
        ]

    def left(self, names: Collection[str]) -> Left:
        rest = [name for name in self._arrays if name not in names]
        encoder = set(self._of_encoder())
        of_encoder = [name for name in rest if name in encoder]
        return Left(of_encoder, [], [name for name in rest if name not in encoder])


def _prefix(arrays: Mapping[str, np.ndarray], path: str) -> str:
    """What stands before the names of the encoder's children."""
    found = [match for match in map(_FIRST_BLOCK.fullmatch, arrays) if match]
    # In a Sequential every group has such a first block.
    prefixes = sorted({match["prefix"] for match in found})
    if not prefixes:
        shown = ", ".join(f"{n} {tuple(v.shape)}" for n, v in [*arrays.items()][:3])
        raise UserError(
            f"{path} holds no ResNet of PyTorch: there is no layer1.0.conv1.weight, "
            f"whatever stands before it. It begins with {shown or 'nothing'}."
        )
    if len(prefixes) > 1:
        prefixes = [each for each in prefixes if not _FOLLOWS.search(each)]
    if len(prefixes) != 1:
        all_of_them = sorted({match["prefix"] for match in found})
        raise UserError(
            f"{path} holds several ResNets, {', '.join(all_of_them)}: keep the names "
            "of one of them in a file of its own."
        )
    return prefixes[0]


def _places(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, str]:
    """The children's names in the file: their own, or places in a Sequential."""
    if f"{prefix}layer1.0.conv1.weight" in arrays:
        return {}
    inside = {
        name[len(prefix) :].split(".")[0] for name in arrays if name.startswith(prefix)
    }
    numbers = sorted(int(name) for name in inside if name.isdigit())
    groups = [n for n in numbers if f"{prefix}{n}.0.conv1.weight" in arrays]
    stem = [n for n in numbers if n < groups[0]]
    norms = [n for n in stem if f"{prefix}{n}.running_mean" in arrays]
    convolutions = [n for n in stem if np.ndim(arrays.get(f"{prefix}{n}.weight")) == 4]
    children = [f"layer{place + 1}" for place in range(len(groups))]
    places = dict(zip(children, map(str, groups)))
    for child, found in (("conv1", convolutions), ("bn1", norms)):
        if found:
            places[child] = str(found[0])
    return places


def _classifier(arrays: Mapping[str, np.ndarray], prefix: str) -> str | None:
    """The path of a linear classifier, beside the encoder or in it."""
    for name in (*(f"{prefix}{each}" for each in _CLASSIFIERS), *_CLASSIFIERS):
        if np.ndim(arrays.get(f"{name}.weight")) == 2 and f"{name}.bias" in arrays:
            return name
    return None
