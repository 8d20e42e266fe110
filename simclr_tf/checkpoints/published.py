"""Weights from checkpoints of the published SimCLR code (its tf2 folder)."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

# The only description of a checkpoint's object graph is this message.
from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

from simclr_tf.checkpoints.files import readable
from simclr_tf.encoder.convolution import BatchNormRelu, Convolution
from simclr_tf.encoder.resnet import ResNet
from simclr_tf.encoder.selective_kernel import SelectiveKernel
from simclr_tf.errors import UserError
from simclr_tf.head import ProjectionHead
from simclr_tf.model import Learner

_BATCH_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
_NAMED_AT_MOST = 5
_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_OPTIMIZER = ".OPTIMIZER_SLOT"
_UNREADABLE = (tf.errors.OpError, IndexError, OSError, RuntimeError, ValueError)


@dataclasses.dataclass(frozen=True)
class Loaded:
    """What `load_published` did: variables set, and parts of the file not used."""

    variables: int
    unused: tuple[str, ...]


class _Pair(NamedTuple):
    """A variable of ours and its path in the published model."""

    variable: tf.Variable
    path: str


def load_published(path: str, model: Learner) -> Loaded:
    """Puts the weights of a published checkpoint into a model.

    Args:
      path: a `tf.train.Checkpoint` prefix, a folder with a `checkpoint` file, or a
        SavedModel folder.
      model: whose encoder is a `ResNet` and whose head is a `ProjectionHead` of
        the checkpoint's architecture. Its probe, if any, takes the checkpoint's
        supervised head.

    Returns:
      How many variables were set, and what the file holds beyond them: a
      supervised head where the model has no probe. Optimizer state and counters
      are passed over.

    Raises:
      UserError: where there is no checkpoint, or it does not match the model: it
        names variables that are missing, left over or of another shape. The model
        is then as it was.
    """
    if not isinstance(model.encoder, ResNet):
        raise UserError(
            "Published checkpoints hold a ResNet; the model's encoder is a "
            f"{type(model.encoder).__name__}."
        )
    if not isinstance(model.projection_head, ProjectionHead):
        raise UserError(
            "Published checkpoints hold a projection head; the model's is a "
            f"{type(model.projection_head).__name__}, not simclr_tf.ProjectionHead."
        )
    if not model.built:
        model.build((None, None, None, 3))
    published = _Published(path)
    pairs = [*_encoder_pairs(model.encoder, published)]
    pairs += _head_pairs(model.projection_head)
    if model.probe is not None:
        pairs += _probe_pairs(model.probe)

    values, problems = {}, []
    for variable, name in pairs:
        value = published.value(name)
        if value is None:
            problems.append(f"{name} is missing from the checkpoint")
        elif value.shape != tuple(variable.shape):
            problems.append(
                f"{name} has shape {value.shape} in the checkpoint and "
                f"{tuple(variable.shape)} in the model"
            )
        values[name] = value
    left = published.others(values)
    head = [name for name in left if name.startswith("supervised_head/")]
    strays = [name for name in left if name not in head]
    problems += [f"{name} is in the checkpoint and not in the model" for name in strays]
    if problems:
        shown = "; ".join(problems[:_NAMED_AT_MOST])
        more = len(problems) - _NAMED_AT_MOST
        shown += f"; and {more} more" if more > 0 else ""
        raise UserError(
            f"The checkpoint {path} does not match the model: {shown}. The "
            f"checkpoint's projection head has {published.head_layers()} layers; "
            "depth, width_multiplier, sk_ratio, cifar_stem and num_layers must be "
            "those it was trained with."
        )
    for variable, name in pairs:
        variable.assign(values[name])
    return Loaded(len(pairs), tuple(sorted(head)))


class _Published:
    """A published model's variables, found by their path through its objects."""

    def __init__(self, path: str) -> None:
        try:
            with readable(_prefix(path)) as prefix:
                reader = tf.train.load_checkpoint(prefix)
                graph = TrackableObjectGraph.FromString(reader.get_tensor(_GRAPH))
                self._values = {
                    key: reader.get_tensor(key)
                    for key in reader.get_variable_to_shape_map()
                    if key != _GRAPH and _OPTIMIZER not in key
                }
        # The reader gives each kind of damage another type.
        except (*_UNREADABLE, DecodeError) as error:
            reason = str(getattr(error, "message", error)).splitlines()
            raise UserError(
                f"{path} is no checkpoint of the published TensorFlow 2 code that can "
                "be read: give its prefix (without .index), its folder, or its "
                f"SavedModel folder. {reason[0] if reason else type(error).__name__}"
            ) from error
        self._nodes = graph.nodes
        root = self._children(0)
        if "model" not in root:
            raise UserError(
                f"{path} holds no published SimCLR model; its parts are "
                f"{', '.join(sorted(root)) or 'none'}."
            )
        self._model = root["model"]

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

    def value(self, path: str) -> np.ndarray | None:
        """The variable's value as an array, or None where there is none."""
        node = self._find(path)
        for attribute in self._nodes[node].attributes if node is not None else ():
            return self._values.get(attribute.checkpoint_key)
        return None

    def units(self, path: str) -> list[str]:
        """Places in a list of layers that hold variables, in order."""
        node = self._find(path)
        if node is None:
            return []
        places = sorted(int(name) for name in self._children(node) if name.isdigit())
        units = [f"{path}/{place}" for place in places]
        return [unit for unit in units if any(self._variables(unit, set()))]

    def others(self, paths: Iterable[str]) -> list[str]:
        """Paths of the variables of encoder and heads that are not at `paths`."""
        seen = {self._find(path) for path in paths}
        parts = ("resnet_model", "_projection_head", "supervised_head")
        return [path for part in parts for path in self._variables(part, seen)]

    def head_layers(self) -> int:
        """Layers of the projection head."""
        return len(self.units("_projection_head/linear_layers"))

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


def _prefix(path: str) -> str:
    inside = os.path.join(path, "variables", "variables")
    if tf.io.gfile.exists(inside + ".index"):
        return inside
    if tf.io.gfile.isdir(path):
        state = tf.train.get_checkpoint_state(path)
        return state.model_checkpoint_path if state else path
    return path


def _encoder_pairs(encoder: ResNet, published: _Published) -> Iterator[_Pair]:
    stem = "resnet_model/initial_conv_relu_max_pool"
    yield from _list_pairs(encoder.stem.layers, published.units(stem), stem)
    basic = encoder.depth < 50
    branch, shortcut = (
        ("conv2d_bn_layers", "shortcut_layers")
        if basic
        else ("conv_relu_dropblock_layers", "projection_layers")
    )
    for group_place, group in enumerate(encoder.groups):
        for place, block in enumerate(group.layers):
            path = f"resnet_model/block_groups/{group_place}/layers/{place}"
            parts = [(branch, block.branch)]
            if block.shortcut is not None:
                parts.append((shortcut, block.shortcut))
            for name, part in parts:
                units = published.units(f"{path}/{name}")
                yield from _list_pairs(part.layers, units, f"{path}/{name}")


def _list_pairs(
    layers: list[tf.keras.layers.Layer], units: list[str], path: str
) -> Iterator[_Pair]:
    """Pairs of layers in a row; those without variables count on neither side."""
    layers = [layer for layer in layers if layer.variables]
    # Where the file has fewer, the paths past its last name what is missing.
    units = units + [f"{path}/missing_{place}" for place in range(len(layers))]
    for layer, unit in zip(layers, units):
        yield from _unit_pairs(layer, unit)


def _unit_pairs(layer: tf.keras.layers.Layer, path: str) -> Iterator[_Pair]:
    if isinstance(layer, Convolution):
        yield _Pair(layer.convolution.kernel, f"{path}/conv2d/kernel")
    elif isinstance(layer, BatchNormRelu):
        yield from _batch_norm_pairs(layer.batch_normalization, f"{path}/bn")
    elif isinstance(layer, SelectiveKernel):
        convolution, normalise = layer.streams.layers
        yield from _unit_pairs(convolution, f"{path}/conv2d_fixed_padding")
        yield from _unit_pairs(normalise, f"{path}/batch_norm_relu")
        squeeze, normalise, mix = layer.mixing.layers
        yield _Pair(squeeze.convolution.kernel, f"{path}/conv2d_0/kernel")
        yield from _unit_pairs(normalise, f"{path}/batch_norm_relu_1")
        yield _Pair(mix.convolution.kernel, f"{path}/conv2d_1/kernel")


def _batch_norm_pairs(
    layer: tf.keras.layers.BatchNormalization, path: str
) -> Iterator[_Pair]:
    for name in _BATCH_NORM:
        variable = getattr(layer, name)
        if variable is not None:
            yield _Pair(variable, f"{path}/{name}")


def _head_pairs(head: ProjectionHead) -> Iterator[_Pair]:
    for place, layer in enumerate(head.layers):
        path = f"_projection_head/linear_layers/{place}"
        for step in layer.layers:
            if isinstance(step, tf.keras.layers.Dense):
                yield _Pair(step.kernel, f"{path}/dense/kernel")
                if step.use_bias:
                    yield _Pair(step.bias, f"{path}/dense/bias")
            elif isinstance(step, tf.keras.layers.BatchNormalization):
                yield from _batch_norm_pairs(step, f"{path}/bn_relu/bn")


def _probe_pairs(probe: tf.keras.layers.Dense) -> Iterator[_Pair]:
    path = "supervised_head/linear_layer/dense"
    yield _Pair(probe.kernel, f"{path}/kernel")
    yield _Pair(probe.bias, f"{path}/bias")
