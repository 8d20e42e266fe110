"""Published weights as a run folder, which every command takes."""

from __future__ import annotations

import os
from collections.abc import Callable

import tensorflow as tf

from simclr_tf import messages
from simclr_tf.checkpoints import PublishedWeights
from simclr_tf.checkpoints.files import (
    checkpoint_steps,
    prefix_of,
    rename_checkpoint,
)
from simclr_tf.errors import UserError
from simclr_tf.image_size import ImageSize
from simclr_tf.model import Learner
from simclr_tf.training.build import build_model
from simclr_tf.training.recipe import Recipe, ResolvedRecipe
from simclr_tf.training.result import versions
from simclr_tf.training.run_files import RunFolderError, file_errors
from simclr_tf.training.run_folder import RunFolder
from simclr_tf.training.run_lock import RunLock

_PHOTOGRAPH, _SMALL = 224, 32  # Pixels that published encoders were trained at.


def recipe_of(
    weights: PublishedWeights,
    *,
    encoder: str | None = None,
    image_size: ImageSize | None = None,
    head_layers: int | None = None,
    precision: str = "float32",
    init: str | None = None,
) -> ResolvedRecipe:
    """The settings of a model for published weights.

    Args:
      weights: of a file.
      encoder: its name for `make_encoder`; what the weights' shapes tell where None.
      image_size: side in pixels of the images, or height and width; where None 32 for
        the stem of small images, else 224.
      head_layers: layers of the projection head; those in the file where None.
      precision: what the model computes in.
      init: where the weights come from, which is noted in the settings.

    Raises:
      UserError: where a setting is out of its range, or the encoder is not known.
    """
    encoder = encoder or weights.encoder_name
    if encoder is None:
        raise UserError(
            f"Which encoder {weights.path} holds cannot be told from its shapes: say "
            "it with --encoder=NAME, such as resnet50."
        )
    if image_size is None:
        image_size = _SMALL if weights.has_cifar_stem else _PHOTOGRAPH
    if head_layers is None:
        head_layers = weights.head_layers or 0
    return Recipe(
        image_size=image_size,
        encoder=encoder,
        head_layers=head_layers,
        precision=precision,
        init=init,
    ).resolve()


def convert(
    path: str,
    run_path: str,
    *,
    encoder: str | None = None,
    image_size: ImageSize | None = None,
    head_layers: int | None = None,
    say: Callable[[str], None] = messages.say,
) -> dict:
    """Writes published weights as a run folder.

    It holds the weights as the state before a first step, and can be measured,
    exported and started from; it is not trained further where it lies.

    Args:
      path: of the weights, as `load_published` takes it.
      run_path: the run folder to write.
      encoder: see `recipe_of`.
      image_size: likewise.
      head_layers: likewise.
      say: called with a line on what was loaded and what was not.

    Returns:
      What result.json holds.

    Raises:
      UserError: where the weights do not match, or the folder holds something else.
    """
    run = RunFolder(run_path)
    was_trained = run.is_run() and run.converted_from() is None
    if was_trained and checkpoint_steps(run.checkpoints):
        raise RunFolderError(
            f"{run_path} holds a run that was trained: choose another folder with "
            "--run."
        )
    run.require_usable()
    weights = PublishedWeights(path)
    recipe = recipe_of(
        weights,
        encoder=encoder,
        image_size=image_size,
        head_layers=head_layers,
        init=path,
    )
    run.make()
    model = build_model(recipe)
    loaded = weights.load_into(model)
    result = {
        "converted_from": path,
        "variables": loaded.variables,
        "unused": dict(zip(loaded.unused, map(list, loaded.shapes))),
        "without_weights": list(loaded.kept),
        "encoder_parameters": model.encoder.count_params(),
        "versions": versions(),
    }
    with RunLock(run.lock, say):
        run.start(recipe)
        _write_state(model, run)
        run.write_result(result)
    layers = recipe.head_layers
    head = f"a projection head of {layers} layers" if layers else "no projection head"
    say(
        f"{path}: {recipe.encoder}, {head}: {loaded}.\nWritten to {run_path}: "
        f"--run={run_path} of other commands takes it, and pretrain --init={run_path} "
        "starts from it."
    )
    return result


def _write_state(model: Learner, run: RunFolder) -> None:
    """Writes the weights as the state before the first step."""
    aside = os.path.join(run.checkpoints, "unfinished-0")
    with file_errors("write", run.checkpoints):
        tf.io.gfile.makedirs(run.checkpoints)
        tf.train.Checkpoint(model=model).write(aside)
        rename_checkpoint(aside, prefix_of(run.checkpoints, 0))
