"""Weights that an encoder starts from, instead of random ones.

A new kind of place that weights come from is a function that sets them, and a line in
`_find`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from simclr_tf import messages
from simclr_tf.checkpoints import PublishedWeights, is_published
from simclr_tf.encoder.freezing import ordered_variables
from simclr_tf.encoder.keras_applications import (
    applications,
    made_application,
    make_application,
)
from simclr_tf.errors import UserError
from simclr_tf.image_size import ImageSize
from simclr_tf.model import Learner
from simclr_tf.training.checkpoints import newest_state
from simclr_tf.training.run_folder import RunFolder

IMAGENET = "imagenet"  # Weights of tf.keras.applications.
_NAMED_AT_MOST = 2


class _Weights(NamedTuple):
    """An encoder's variables in its order; `where` says what they are."""

    variables: list[tf.Variable]
    where: str


def load_encoder(path: str, model: Learner, say: Callable[[str], None]) -> None:
    """Gives a model's encoder the weights that lie at a path.

    Args:
      path: a run folder, whose newest state is taken; a SavedModel of
        `export_encoder`; published weights, as `load_published` takes them; or
        "imagenet", for an encoder that is a model of `tf.keras.applications`.
      model: a built model, whose encoder has the same architecture; its other parts
        stay as they are.
      say: called with lines on what was loaded.

    Raises:
      UserError: where there are no weights, or they do not fit: it names those by
        their shapes. The model is then as it was.
    """
    read = _find(path)
    if read is None:
        loaded = PublishedWeights(path).load_into_encoder(model.encoder)
        say(f"The encoder starts from {path}: {loaded}.")
        return
    found = read(path, model, say)
    ours = ordered_variables(model.encoder)
    theirs = found.variables[: len(ours)]
    problems = [
        f"{our.name} is {our.shape} here and {their.shape} there"
        for our, their in zip(ours, theirs)
        if our.shape != their.shape
    ]
    if len(theirs) < len(ours):
        problems.append(f"{ours[len(theirs)].name} and later ones are not there")
    if problems:
        more = len(problems) - _NAMED_AT_MOST
        raise UserError(
            f"init: the encoder in {path} is another one than --encoder says. Leave "
            "out --encoder, where what lies there tells it, or say the one that was "
            f"trained: {'; '.join(problems[:_NAMED_AT_MOST])}"
            f"{f'; and {more:,} more' if more > 0 else ''}."
        )
    for our, their in zip(ours, theirs):
        our.assign(tf.cast(their, our.dtype))
    say(f"The encoder starts from {found.where}.")


def require_weights(
    path: str, encoder: str, image_size: ImageSize, channels: int
) -> None:
    """Looks whether there are weights at a path, and downloads those of ImageNet.

    Args:
      path: see `load_encoder`.
      encoder: the name of the encoder that starts from them.
      image_size: side of its images in pixels, or height and width.
      channels: of its images.

    Raises:
      UserError: where there are none, or they cannot be downloaded.
    """
    if path != IMAGENET:
        require_place_of_weights(path)
        return
    if encoder not in applications():
        raise UserError(
            "init: imagenet stands for the weights of a tf.keras.applications model, "
            f"such as --encoder=ResNet50V2, and the encoder is {encoder}."
        )
    make_application(encoder, image_size, channels, weights=IMAGENET)


def require_place_of_weights(path: str) -> None:
    """Raises UserError where a path is none that `load_encoder` takes."""
    _find(path)


def encoder_of(path: str) -> str | None:
    """The name of the encoder whose weights lie at a path; None where it is not known.

    Raises:
      UserError: where there are weights that cannot be read.
    """
    if path == IMAGENET:
        return None
    # A file first: no run folder can be looked for in one.
    if is_published(path):
        return PublishedWeights(path).encoder_name
    run = RunFolder(path)
    return run.recipe().encoder if run.is_run() else None


_Reader = Callable[[str, Learner, Callable[[str], None]], _Weights]


def _find(path: str) -> _Reader | None:
    """What reads the weights at a path; None of published ones."""
    if path == IMAGENET:
        return _of_imagenet
    if is_published(path):
        return None
    if RunFolder(path).is_run():
        return _of_run
    if tf.io.gfile.exists(os.path.join(path, "saved_model.pb")):
        return _of_saved_model
    raise UserError(
        f"init: {path} is neither a run folder, which has flags.txt, nor a SavedModel, "
        "which has saved_model.pb, nor published weights: a checkpoint of the "
        "published code, or a ResNet of PyTorch as .safetensors or .npz."
    )


def _of_run(path: str, model: Learner, say: Callable[[str], None]) -> _Weights:
    del model
    run = RunFolder(path)
    variables = ordered_variables(run.load_model(say).encoder)
    run.told_where_unfinished(say)
    source = run.converted_from()
    if source is not None:
        return _Weights(variables, f"{path}, converted from {source}")
    step = newest_state(run.checkpoints, messages.silent)
    return _Weights(variables, f"{path}, after step {step or 0:,}")


def _of_saved_model(path: str, model: Learner, say: Callable[[str], None]) -> _Weights:
    del model, say
    try:
        variables = list(tf.saved_model.load(path).variables)
    except (AttributeError, OSError, ValueError, tf.errors.OpError) as error:
        raise UserError(
            f"init: {path} cannot be read as a SavedModel of simclr export: "
            f"{str(error).splitlines()[0]}"
        ) from error
    return _Weights(variables, path)


def _of_imagenet(path: str, model: Learner, say: Callable[[str], None]) -> _Weights:
    del say
    name = made_application(model.encoder)
    if name is None:
        raise UserError(
            "init: imagenet stands for the weights of a tf.keras.applications model, "
            "such as --encoder=ResNet50V2, and the encoder is none of these."
        )
    height, width, channels = model.encoder.input_shape[1:]
    made = make_application(name, (height, width), channels, weights=path)
    return _Weights(ordered_variables(made), f"Keras' imagenet weights of {name}")
