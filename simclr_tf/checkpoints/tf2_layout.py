"""Weights as the published code's tf2 folder saves them: a tree of objects.

Variables are found by their path through that tree, `resnet_model/block_groups/…`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
import tensorflow as tf

# The only description of a checkpoint's object graph is this message.
from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

from simclr_tf.checkpoints.layout import (
    Layout,
    Left,
    Pair,
    batch_norm_pairs,
    head_layer_pairs,
)
from simclr_tf.encoder.convolution import BatchNormRelu, Convolution
from simclr_tf.encoder.resnet import ResNet
from simclr_tf.encoder.selective_kernel import SelectiveKernel
from simclr_tf.errors import UserError
from simclr_tf.head import ProjectionHead

GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_OPTIMIZER = ".OPTIMIZER_SLOT"
_ENCODER, _HEAD = "resnet_model", "_projection_head/linear_layers"
_CLASSIFIER = "supervised_head/linear_layer/dense"


def is_tf2(names: Collection[str]) -> bool:
    """Whether a checkpoint's variables are those of the published code."""
    return any(f"/{_ENCODER}/" in name for name in names)


class Tf2Layout(Layout):
    """Weights of a checkpoint or SavedModel of the tf2 folder.

    Args:
      reader: of the checkpoint, see `tf.train.load_checkpoint`.
      path: of the checkpoint, for messages.

    Raises:
      UserError: where it holds no SimCLR model.
      DecodeError: where its description of objects is damaged.
    """

    def __init__(self, reader: tf.train.CheckpointReader, path: str) -> None:
        graph = TrackableObjectGraph.FromString(reader.get_tensor(GRAPH))
        self._values = {
            key: reader.get_tensor(key)
            for key in reader.get_variable_to_shape_map()
            if key != GRAPH and _OPTIMIZER not in key
        }
        self._nodes = graph.nodes
        root = self._children(0)
        if "model" not in root:
            raise UserError(
                f"{path} holds no published SimCLR model; its parts are "
                f"{', '.join(sorted(root)) or 'none'}."
            )
        self._model = root["model"]
        self.head_layers = len(self._units(_HEAD))

    def _children(self, node: int) -> dict[str, int]:
        return {child.local_name: child.node_id for child in self._nodes[node].children}

    def _find(self, path: str) -> int | None:
        node = self._model
        for name in path.split("/"):
            children = self._children(node)
            if name not in children:
                return None
            node = children[name]
        return node

    def value(self, name: str) -> np.ndarray | None:
        node = self._find(name)
        for attribute in self._nodes[node].attributes if node is not None else ():
            return self._values.get(attribute.checkpoint_key)
        return None

    def _units(self, path: str) -> list[str]:
        """Places in a list of layers that hold variables, in order."""
        node = self._find(path)
        if node is None:
            return []
        places = sorted(int(name) for name in self._children(node) if name.isdigit())
        units = [f"{path}/{place}" for place in places]
        return [unit for unit in units if any(self._variables(unit, set()))]

    def left(self, names: Collection[str]) -> Left:
        seen = {self._find(path) for path in names}
        parts = (_ENCODER, "_projection_head", "supervised_head")
        return Left(*(list(self._variables(part, seen)) for part in parts))

    def _variables(self, path: str, seen: set[int | None]) -> Iterator[str]:
        """Paths below `path` of variables not `seen`; Keras gives some several."""
        node = self._find(path)
        if node is None or node in seen:
            return
        seen.add(node)
        if self._nodes[node].attributes:
            yield path
        for name in self._children(node):
            yield from self._variables(f"{path}/{name}", seen)

    def kernels(self) -> list[tuple[int, ...]]:
        stem = f"{_ENCODER}/initial_conv_relu_max_pool"
        first = [
            path for unit in self._units(stem) for path in self._convolutions(unit)
        ]
        rest = [path for path in self._convolutions(_ENCODER) if path not in first]
        values = map(self.value, (*first, *rest))
        return [value.shape for value in values if value is not None]

    def _convolutions(self, path: str) -> list[str]:
        found = self._variables(path, set())
        return [name for name in found if np.ndim(self.value(name)) == 4]

    def encoder_pairs(self, encoder: ResNet) -> list[Pair]:
        stem = f"{_ENCODER}/initial_conv_relu_max_pool"
        pairs = [*_list_pairs(encoder.stem.layers, self._units(stem), stem)]
        branch, shortcut = (
            ("conv2d_bn_layers", "shortcut_layers")
            if encoder.depth < 50
            else ("conv_relu_dropblock_layers", "projection_layers")
        )
        for group_place, group in enumerate(encoder.groups):
            for place, block in enumerate(group.layers):
                path = f"{_ENCODER}/block_groups/{group_place}/layers/{place}"
                parts = [(branch, block.branch)]
                if block.shortcut is not None:
                    parts.append((shortcut, block.shortcut))
                for name, part in parts:
                    units = self._units(f"{path}/{name}")
                    pairs += _list_pairs(part.layers, units, f"{path}/{name}")
        return pairs

    def head_pairs(self, head: ProjectionHead) -> list[Pair]:
        pairs: list[Pair] = []
        for place, layer in enumerate(head.layers):
            path = f"{_HEAD}/{place}"
            pairs += head_layer_pairs(layer, f"{path}/dense", f"{path}/bn_relu/bn")
        return pairs

    def probe_pairs(self, probe: tf.keras.layers.Dense) -> list[Pair]:
        return [
            Pair(probe.kernel, f"{_CLASSIFIER}/kernel"),
            Pair(probe.bias, f"{_CLASSIFIER}/bias"),
        ]


def _list_pairs(
    layers: list[tf.keras.layers.Layer], units: list[str], path: str
) -> Iterator[Pair]:
    """Pairs of layers in a row; those without variables count on neither side."""
    layers = [layer for layer in layers if layer.variables]
    # Where the file has fewer, the paths past its last name what is missing.
    units = units + [f"{path}/missing_{place}" for place in range(len(layers))]
    for layer, unit in zip(layers, units):
        yield from _unit_pairs(layer, unit)


def _unit_pairs(layer: tf.keras.layers.Layer, path: str) -> Iterator[Pair]:
    if isinstance(layer, Convolution):
        yield Pair(layer.convolution.kernel, f"{path}/conv2d/kernel")
    elif isinstance(layer, BatchNormRelu):
        yield from batch_norm_pairs(layer.batch_normalization, f"{path}/bn")
    elif isinstance(layer, SelectiveKernel):
        convolution, normalise = layer.streams.layers
        yield from _unit_pairs(convolution, f"{path}/conv2d_fixed_padding")
        yield from _unit_pairs(normalise, f"{path}/batch_norm_relu")
        squeeze, normalise, mix = layer.mixing.layers
        yield Pair(squeeze.convolution.kernel, f"{path}/conv2d_0/kernel")
        yield from _unit_pairs(normalise, f"{path}/batch_norm_relu_1")
        yield Pair(mix.convolution.kernel, f"{path}/conv2d_1/kernel")
