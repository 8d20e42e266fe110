"""A classifier on an encoder: made, started from weights, and brought back."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from simclr_tf import messages
from simclr_tf.data import Source
from simclr_tf.encoder import make_encoder
from simclr_tf.encoder.freezing import freeze_up_to
from simclr_tf.errors import UserError
from simclr_tf.head import ClassifierHead, ProjectionHead
from simclr_tf.image_size import height_and_width
from simclr_tf.methods import Method, method_class
from simclr_tf.model import Learner
from simclr_tf.training import run_files
from simclr_tf.training.build import build_augmenter
from simclr_tf.training.checkpoints import restore
from simclr_tf.training.distillation import DISTILLATION
from simclr_tf.training.fine_tuning import FINETUNING
from simclr_tf.training.flagfile import command_of
from simclr_tf.training.precision import policy
from simclr_tf.training.recipe import ResolvedRecipe
from simclr_tf.training.run_folder import RunFolder, RunFolderError
from simclr_tf.training.starting_weights import load_encoder

_FILE = "classes.json"
# What trains classifiers, by the command.
_KINDS = {kind.command: kind for kind in (FINETUNING, DISTILLATION)}


@dataclasses.dataclass(frozen=True)
class Classes:
    """What a classifier tells apart, and which head it stands on.

    Attributes:
      names: of the classes, in the labels' order.
      kept: configuration of the `ProjectionHead` whose layers are kept; None for none.
    """

    names: list[str]
    kept: dict[str, Any] | None = None

    @classmethod
    def of(
        cls, source: Source, recipe: ResolvedRecipe | None = None, layers: int = 0
    ) -> Classes:
        """Those of a source.

        Args:
          source: labelled images.
          recipe: of the run whose projection head is kept.
          layers: of it that are kept.
        """
        names = source.class_names or [str(k) for k in range(source.num_classes or 0)]
        if not layers or recipe is None:
            return cls(list(names))
        kept = {
            "num_layers": recipe.head_layers,
            "hidden_dim": recipe.head_hidden_dim,
            "out_dim": recipe.head_out_dim,
            "num_kept": layers,
        }
        return cls(list(names), kept)

    def write(self, run: RunFolder) -> None:
        """Writes them into a run's folder."""
        run_files.write_json(os.path.join(run.path, _FILE), dataclasses.asdict(self))

    @classmethod
    def read(cls, run: RunFolder) -> Classes:
        """Those of a run.

        Raises:
          RunFolderError: where the folder does not say them.
        """
        path = os.path.join(run.path, _FILE)
        try:
            return cls(**(run_files.read_json(path) or {}))
        except TypeError:
            raise RunFolderError(
                f"{path} does not say which classes the run tells apart: restore it "
                "from a copy."
            ) from None


def build_classifier(
    settings: Any,
    classes: Classes,
    method: Method,
    make: Callable[..., Learner] = Learner,
) -> Learner:
    """A model with new weights, its variables made, its first parts frozen.

    Args:
      settings: a `ResolvedFineTuning`, or others with the same fields.
      classes: what it tells apart.
      method: what its logits are trained by.
      make: called with what `Learner` is called with.

    Raises:
      UserError: where a setting is out of its range, or the encoder's parts that
        `fine_tune_after_block` names are not known.
    """
    tf.keras.utils.set_random_seed(settings.seed)
    with policy(settings.precision):
        encoder = make_encoder(
            settings.encoder,
            image_size=settings.image_size,
            channels=settings.channels,
            rematerialize=settings.rematerialize,
        )
        kept = classes.kept and ProjectionHead(**classes.kept, name="kept")
        model = make(
            encoder,
            ClassifierHead(len(classes.names), kept=kept or None),
            method,
            augmenter=build_augmenter(settings),
            micro_batches=settings.micro_batches,
            seed=settings.seed,
        )
        sides = height_and_width(settings.image_size)
        model.build((None, *sides, settings.channels))
    freeze_up_to(encoder, settings.fine_tune_after_block)
    return model


def load_start(
    init: str, layers: int, model: Learner, say: Callable[[str], None]
) -> None:
    """Gives a classifier's encoder, and what it keeps of a head, the weights at a path.

    Args:
      init: see `load_encoder`; a run folder where `layers` are kept.
      layers: of the projection head that are kept.
      model: of `build_classifier`.
      say: called with a line on what was loaded.

    Raises:
      UserError: where the weights are not there, or do not fit.
    """
    load_encoder(init, model, say)
    if not layers:
        return
    theirs = RunFolder(init).load_model(messages.silent).projection_head
    for ours, their in zip(model.projection_head.kept.layers, theirs.layers):
        for variable, weights in zip(ours.variables, their.variables):
            variable.assign(tf.cast(weights, variable.dtype))
    say(f"Of its projection head {layers} of {theirs.num_layers} layers are kept.")


def require_layers_to_keep(recipe: ResolvedRecipe | None, layers: int) -> None:
    """Raises UserError where a start has no such layers of a projection head."""
    if not layers:
        return
    if recipe is None:
        raise UserError(
            "head_layers_kept must be 0 where --init is no run folder of pretrain: "
            "what it names has no projection head."
        )
    if not method_class(recipe.method).projects or recipe.head_layers < layers:
        raise UserError(
            "head_layers_kept must be at most the layers of the projection head of "
            f"--init, whose method is {recipe.method} and which has "
            f"{recipe.head_layers}, got {layers}."
        )


def trained_classifier(path: str) -> RunFolder | None:
    """The folder of a run that trained a classifier; None of anything else.

    Raises:
      RunFolderError: where its settings cannot be read.
    """
    text = run_files.read_text(RunFolder(path).flags)
    kind = _KINDS.get(command_of(text or ""))
    return None if kind is None else RunFolder(path, kind)


def classifier_folder(path: str) -> RunFolder:
    """As `trained_classifier`, where a classifier is needed.

    The folder of anything else is as one of finetune, which says so when it is read.
    """
    return trained_classifier(path) or RunFolder(path, FINETUNING)


def load_classifier(
    run: RunFolder,
    method: Method,
    say: Callable[[str], None] = messages.say,
    *,
    precision: str | None = None,
) -> tuple[Learner, Classes]:
    """The model of a run that trained a classifier, with its newest weights.

    Args:
      run: the run folder, with its kind.
      method: of the model; weights do not depend on it.
      say: called with a line where the newest state is damaged.
      precision: what it computes in; None for what the run trained in.

    Raises:
      RunFolderError: where there is no run, or no state that can be read.
    """
    settings = run.settings()
    if precision is not None:
        settings = dataclasses.replace(settings, precision=precision)
    newest = run.require_state(say)
    classes = Classes.read(run)
    model = build_classifier(settings, classes, method)
    restore(tf.train.Checkpoint(model=model), run.checkpoints, newest)
    return model, classes
