"""Weights that an encoder starts from, instead of random ones.

A new kind of place that weights come from is a function that gives them, in the order
of a Keras encoder's variables, and a line in `_find`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.model import Learner
from simclr_tf.training.checkpoints import newest_state
from simclr_tf.training.run_folder import RunFolder

_NAMED_AT_MOST = 5


class _Weights(NamedTuple):
    """An encoder's variables in its order; `where` says what they are."""

    variables: list[tf.Variable]
    where: str


def load_encoder(path: str, model: Learner, say: Callable[[str], None]) -> None:
    """Gives a model's encoder the weights that lie at a path.

    Args:
      path: a run folder, whose newest state is taken, or a SavedModel of
        `export_encoder`.
      model: a built model, whose encoder has the same architecture; its other parts
        stay as they are.
      say: called with a line on what was loaded.

    Raises:
      UserError: where there are no weights, or they do not fit: it names those by
        their shapes. The model is then as it was.
    """
    found = _find(path)(path, say)
    ours = model.encoder.variables
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
            f"init: the encoder in {path} is another one than --encoder says: "
            f"{'; '.join(problems[:_NAMED_AT_MOST])}"
            f"{f'; and {more:,} more' if more > 0 else ''}."
        )
    for our, their in zip(ours, theirs):
        our.assign(tf.cast(their, our.dtype))
    say(f"The encoder starts from {found.where}.")


def encoder_of(path: str) -> str | None:
    """The name of the encoder in a run folder; None where it is not known."""
    run = RunFolder(path)
    return run.recipe().encoder if run.is_run() else None


def _find(path: str) -> Callable[[str, Callable[[str], None]], _Weights]:
    """What reads the weights at a path."""
    if RunFolder(path).is_run():
        return _of_run
    if tf.io.gfile.exists(os.path.join(path, "saved_model.pb")):
        return _of_saved_model
    raise UserError(
        f"init: {path} is neither a run folder, which has flags.txt, nor a SavedModel, "
        "which has saved_model.pb."
    )


def _of_run(path: str, say: Callable[[str], None]) -> _Weights:
    run = RunFolder(path)
    model = run.load_model(say)
    step = newest_state(run.checkpoints, lambda line: None)
    return _Weights(model.encoder.variables, f"{path}, after step {step or 0:,}")


def _of_saved_model(path: str, say: Callable[[str], None]) -> _Weights:
    del say
    try:
        variables = list(tf.saved_model.load(path).variables)
    except (AttributeError, OSError, ValueError, tf.errors.OpError) as error:
        raise UserError(
            f"init: {path} cannot be read as a SavedModel of simclr export: "
            f"{str(error).splitlines()[0]}"
        ) from error
    return _Weights(variables, path)
