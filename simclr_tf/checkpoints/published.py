"""Published weights, whatever the layout of their file, into a model."""

from __future__ import annotations

import dataclasses
import os

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from simclr_tf.checkpoints.files import readable
from simclr_tf.checkpoints.layout import Layout, Pair
from simclr_tf.checkpoints.tf1_layout import Tf1Layout, is_tf1
from simclr_tf.checkpoints.tf2_layout import GRAPH, Tf2Layout, is_tf2
from simclr_tf.checkpoints.torch_layout import TorchLayout
from simclr_tf.checkpoints.weight_files import is_weight_file, read_arrays
from simclr_tf.encoder.resnet import ResNet
from simclr_tf.errors import UserError
from simclr_tf.head import ProjectionHead
from simclr_tf.model import Learner

_NAMED_AT_MOST = 5
_UNREADABLE = (tf.errors.OpError, IndexError, OSError, RuntimeError, ValueError)


@dataclasses.dataclass(frozen=True)
class Loaded:
    """What was loaded.

    Attributes:
      variables: how many of the model's variables were set.
      unused: names of the file's weights that the model has no place for.
      shapes: of those.
      kept: parts of the model that the file has no weights for, which are as they
        were: "projection_head", "probe".
    """

    variables: int
    unused: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...] = ()
    kept: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"{self.variables:,} variables"
        if self.kept:
            text += f", and none of the {' and '.join(self.kept).replace('_', ' ')}"
        if self.unused:
            pairs = zip(self.unused, self.shapes)
            shown = [f"{name} {shape}" for name, shape in pairs]
            text += f"; not used: {_some(shown, ', ')}"
        return text


def load_published(path: str, model: Learner) -> Loaded:
    """Puts published weights into a model.

    Args:
      path: of one of these:
        - the published code for TensorFlow 2: a `tf.train.Checkpoint` prefix, a folder
          with a `checkpoint` file, or a SavedModel folder;
        - the published code for TensorFlow 1: likewise, or a TensorFlow Hub module;
        - a ResNet of PyTorch, with the names of torchvision, lightly or solo-learn: a
          `.safetensors` or `.npz` file of its state dict.
      model: whose encoder is a `ResNet` of the file's architecture, with
        `torchvision=True` for PyTorch's, and whose head is a `ProjectionHead`. Its
        probe, if any, takes the file's supervised head.

    Returns:
      How many variables were set, what the file holds beyond them, by name and shape,
      and which parts of the model it has no weights for: TensorFlow 1 files may lack
      heads, and heads of PyTorch are not read. Optimizer state and counters are passed
      over.

    Raises:
      UserError: where there are no such weights, or they do not match the model: it
        names variables that are missing, left over or of another shape. The model
        is then as it was.
    """
    return PublishedWeights(path).load_into(model)


def is_published(path: str) -> bool:
    """Whether published weights lie at a path; not whether they can be read whole."""
    if is_weight_file(path):
        return True
    prefix = _prefix(path)
    if not tf.io.gfile.exists(prefix + ".index"):
        return False
    try:
        with readable(prefix) as readable_prefix:
            names = tf.train.load_checkpoint(readable_prefix)
            names = names.get_variable_to_shape_map()
    except _UNREADABLE:
        return False
    return is_tf1(names) or is_tf2(names)


class PublishedWeights:
    """The weights of a file, read once.

    Args:
      path: as `load_published` takes it.

    Attributes:
      head_layers: layers of the file's projection head; None where it has none that a
        `ProjectionHead` can take.
      encoder_name: of its encoder, for `make_encoder`, as far as shapes tell.
      has_cifar_stem: whether that has the stem for small images.

    Raises:
      UserError: where there are no such weights.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._layout = _read(path)
        self.head_layers = self._layout.head_layers
        self.encoder_name = self._layout.encoder_name()
        self.has_cifar_stem = self._layout.has_cifar_stem()

    def load_into(self, model: Learner) -> Loaded:
        """As `load_published`."""
        _require_resnet(model.encoder)
        if not isinstance(model.projection_head, ProjectionHead):
            raise UserError(
                "Published checkpoints hold a projection head; the model's is a "
                f"{type(model.projection_head).__name__}, not "
                "simclr_tf.ProjectionHead."
            )
        if not model.built:
            model.build((None, None, None, 3))
        head, probe = model.projection_head, model.probe
        pairs, kept = self._layout.head_pairs(head), []
        if self.head_layers is None and head.layers:
            kept.append("projection_head")
        if probe is not None:
            of_probe = self._layout.probe_pairs(probe)
            kept += [] if of_probe else ["probe"]
            pairs += of_probe
        return self._load(model.encoder, pairs, tuple(kept))

    def load_into_encoder(self, encoder: tf.keras.Model) -> Loaded:
        """Sets an encoder's weights alone; heads of the file are not used.

        Raises:
          UserError: where they do not match; the encoder is then as it was.
        """
        _require_resnet(encoder)
        return self._load(encoder, None, ())

    def _load(
        self, encoder: ResNet, others: list[Pair] | None, kept: tuple[str, ...]
    ) -> Loaded:
        self._require_padding(encoder)
        pairs = [*self._layout.encoder_pairs(encoder), *(others or [])]
        values, problems = {}, []
        for variable, name in pairs:
            value = self._layout.value(name)
            if value is None:
                problems.append(f"{name} is missing from the checkpoint")
            elif value.shape != tuple(variable.shape):
                problems.append(
                    f"{name} has shape {value.shape} in the checkpoint and "
                    f"{tuple(variable.shape)} in the model"
                )
            elif not np.issubdtype(value.dtype, np.floating):
                problems.append(f"{name} is of {value.dtype} in the checkpoint")
            values[name] = value
        left = self._layout.left(values)
        heads = [] if others is None else left.projection_head
        strays = [*left.encoder, *heads]
        problems += [
            f"{name} {shape} is in the checkpoint and not in the model"
            for name, shape in zip(strays, map(self._layout.shape, strays))
        ]
        if problems:
            raise UserError(
                f"The checkpoint {self.path} does not match the model: "
                f"{_some(problems, '; ')}. {self._advice()}"
            )
        for variable, name in pairs:
            variable.assign(values[name])
        spare = [*left.projection_head, *left.others] if others is None else left.others
        unused = tuple(sorted(spare))
        return Loaded(len(pairs), unused, tuple(map(self._layout.shape, unused)), kept)

    def _require_padding(self, encoder: ResNet) -> None:
        """Raises UserError where shapes may fit and features would be others."""
        if encoder.torchvision == self._layout.torchvision:
            return
        if self._layout.torchvision:
            raise UserError(
                f"{self.path} holds a ResNet of PyTorch, which pads its images "
                "otherwise than the published code: take "
                f"--encoder={self.encoder_name or 'resnet50-torch'}, or "
                "ResNet(..., torchvision=True) in Python."
            )
        raise UserError(
            f"{self.path} holds a ResNet of the published code, which pads its images "
            "otherwise than PyTorch's: take "
            f"--encoder={self.encoder_name or 'resnet50'}, or ResNet(...) without "
            "torchvision=True in Python."
        )

    def _advice(self) -> str:
        head = self.head_layers or "no"
        told = f"The checkpoint's projection head has {head} layers"
        if self.encoder_name is not None:
            stem = ", with the stem for small images" if self.has_cifar_stem else ""
            told += f", and its encoder is {self.encoder_name} by its shapes{stem}"
        return (
            f"{told}; depth, width_multiplier, sk_ratio, cifar_stem and num_layers "
            "must be those it was trained with."
        )


def _some(items: list[str], separator: str) -> str:
    """The first items, and how many more there are."""
    more = len(items) - _NAMED_AT_MOST
    shown = separator.join(items[:_NAMED_AT_MOST])
    return f"{shown}{separator}and {more} more" if more > 0 else shown


def _require_resnet(encoder: tf.keras.Model) -> None:
    if not isinstance(encoder, ResNet):
        raise UserError(
            "Published checkpoints hold a ResNet; the model's encoder is a "
            f"{type(encoder).__name__}."
        )


def _read(path: str) -> Layout:
    if is_weight_file(path):
        return TorchLayout(read_arrays(path), path)
    try:
        with readable(_prefix(path)) as prefix:
            reader = tf.train.load_checkpoint(prefix)
            names = reader.get_variable_to_shape_map()
            if GRAPH not in names and is_tf1(names):
                return Tf1Layout(reader)
            if GRAPH in names:
                return Tf2Layout(reader, path)
    # The reader gives each kind of damage another type.
    except (*_UNREADABLE, DecodeError) as error:
        if isinstance(error, UserError):
            raise
        reason = str(getattr(error, "message", error)).splitlines()
        raise UserError(
            f"{path} is no checkpoint of the published code that can be read: give its "
            "prefix (without .index), its folder, or its SavedModel folder. "
            f"{reason[0] if reason else type(error).__name__}"
        ) from error
    shown = ", ".join(sorted(names)[:3])
    raise UserError(
        f"{path} is a checkpoint, and none of the published code, whose variables are "
        f"base_model/conv2d/kernel and so on: it begins with {shown or 'nothing'}."
    )


def _prefix(path: str) -> str:
    """The prefix of a checkpoint's files, given it or a folder that they lie in."""
    inside = os.path.join(path, "variables", "variables")
    if tf.io.gfile.exists(inside + ".index"):
        return inside
    if not tf.io.gfile.isdir(path):
        return path
    state = tf.train.get_checkpoint_state(path)
    if state is not None:
        if tf.io.gfile.exists(state.model_checkpoint_path + ".index"):
            return state.model_checkpoint_path
        # A folder that was moved names the place where it was written.
        name = os.path.basename(state.model_checkpoint_path)
        return os.path.join(path, name)
    found = [name for name in tf.io.gfile.listdir(path) if name.endswith(".index")]
    if len(found) == 1:
        return os.path.join(path, found[0][: -len(".index")])
    return path
