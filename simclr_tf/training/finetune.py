"""A fine-tuning from its settings to its result."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from simclr_tf import messages
from simclr_tf.data import (
    DataError,
    Source,
    Subset,
    labelled_part,
    load,
    load_train_and_test,
)
from simclr_tf.data.few_labels import FewLabels
from simclr_tf.data.train_labels import TrainLabels, choose_train_labels
from simclr_tf.encoder.freezing import NOTHING
from simclr_tf.errors import UserError
from simclr_tf.export import channels_of, image_size_of
from simclr_tf.methods.supervised import SupervisedMethod
from simclr_tf.model import Learner
from simclr_tf.training import defaults
from simclr_tf.training.classifier import (
    Classes,
    build_classifier,
    load_start,
    require_layers_to_keep,
)
from simclr_tf.training.classifier_images import SEEN, has_seen
from simclr_tf.training.classifier_run import (
    ClassifierTask,
    Conditions,
    train_classifier,
)
from simclr_tf.training.classifier_settings import ClassifierTraining
from simclr_tf.training.fine_tuning import FINETUNING, FineTuning, ResolvedFineTuning
from simclr_tf.training.pseudo_labels import PseudoLabels, pseudo_labels
from simclr_tf.training.recipe import ResolvedRecipe
from simclr_tf.training.run_folder import RunFolder
from simclr_tf.training.run_images import native_side
from simclr_tf.training.starting_weights import (
    encoder_of,
    require_place_of_weights,
)

_SIZE = 224  # of what does not say it
# Short names of figures, for a line of progress.
_SHOWN = {"loss": "supervised_loss", "acc": "supervised_accuracy"}


def finetune(
    settings: FineTuning,
    run_path: str,
    *,
    strategy: tf.distribute.Strategy | None = None,
    say: Callable[[str], None] = messages.say,
    **options: Any,
) -> dict:
    """Trains an encoder and a classifier on labels, and writes its run folder.

    Fine-tuning as of SimCLR, appendix B.5, and SimCLR v2, section 2.2: random crops and
    flips, cross entropy, the whole encoder or its last parts, from any layer of the
    projection head. What holds of `pretrain` holds here: a run that is stopped is
    resumed by the same call and ends as if it never had been, on one device to the bit,
    and replicas share the batch that one device would see.

    With `pseudo_label_rounds`, runs of the same settings come before it, each of which
    learns from the confident guesses of the one before too, see `confident_guesses`.

    Args:
      settings: those left None take their defaults.
      run_path: the run folder; what it holds is that of a pretraining (see
        `RunFolder`), classes.json, and in the end `classifier/`, see
        `export_classifier`.
      strategy: see `pretrain`.
      say: called with each line that a person should read.
      **options: of `Conditions.of`: `data_service`, `log_every` and the like.

    Returns:
      What result.json holds: `top1`, `top5`, `mean_per_class` and the like on all test
      images, `labels_used`, and more; nothing of a worker that is not the chief.

    Raises:
      UserError: for a mistake in the settings or the data, before any work is lost.
      Stopped: see `pretrain`.
    """
    on = Conditions.of(strategy, say, **options)
    path = run_path.rstrip("/")
    if on.crew.is_chief:
        RunFolder(path, FINETUNING).require_usable()
    settings = _with_size_of_images(settings, RunFolder(path, FINETUNING))
    images = _load(_with_start(settings, RunFolder(path, FINETUNING))[0])
    if settings.pseudo_label_rounds and images.chosen.others is None:
        raise UserError(
            "pseudo_label_rounds needs images whose labels are not used, and "
            f"train_labels={settings.train_labels} leaves none."
        )
    guesses: list[PseudoLabels] = []
    for number in range(settings.pseudo_label_rounds):
        run = RunFolder(f"{path}.round{number}", FINETUNING)
        on.say(f"Round {number} of {settings.pseudo_label_rounds}: {run.path}")
        before = dataclasses.replace(settings, pseudo_label_rounds=number)
        _train(before, run, images, guesses, on)
        guesses.append(
            pseudo_labels(
                run,
                images.train,
                images.chosen,
                settings.pseudo_label_threshold,
                strategy=on.strategy,
                writes=on.crew.is_chief,
            )
        )
    return _train(settings, RunFolder(path, FINETUNING), images, guesses, on)


class _Images(NamedTuple):
    """Images of a fine-tuning: all to learn from, those with labels, and the test."""

    train: Source
    chosen: TrainLabels
    test: Source


def _load(settings: FineTuning) -> _Images:
    train, test = load_labelled(settings)
    chosen = choose_train_labels(train, settings.train_labels, settings.seed)
    return _Images(train, chosen, labelled_part(test))


def _train(
    settings: FineTuning,
    run: RunFolder,
    images: _Images,
    guesses: Sequence[PseudoLabels],
    on: Conditions,
) -> dict:
    """One round: from the start, on the labels and the newest guesses."""
    settings, recipe = _with_start(settings, run)
    learned, names = images.chosen.labelled, Classes.of(images.train).names
    notes = [images.chosen.note]
    if guesses:
        learned = _with_guesses(images, guesses[-1])
        notes.append(guesses[-1].note(names))
    resolved = settings.resolve(
        len(learned),
        replicas=on.strategy.num_replicas_in_sync,
        guessed=len(learned) - len(images.chosen.labelled),
    )
    classes = Classes.of(images.train, recipe, resolved.head_layers_kept)
    seen = has_seen(resolved, images.test)
    task = ClassifierTask(
        settings=resolved,
        train=learned,
        test=images.test,
        classes=classes,
        build=lambda: build_classifier(resolved, classes, SupervisedMethod()),
        start=lambda model: _start(resolved, model, on.say),
        shown=_SHOWN,
        notes=[*notes, *_notes(resolved, seen)],
        figures={
            "labels_used": len(images.chosen.labelled),
            "pseudo_labels": [each.figures() for each in guesses],
            "pretrained_on_test_images": seen,
        },
    )
    return train_classifier(task, run, on)


def _with_guesses(images: _Images, guesses: PseudoLabels) -> Source:
    """The images with labels, and those whose label is guessed."""
    places = images.chosen.places
    few = FewLabels(images.train, places, guesses.places, guesses.labels)
    every = np.union1d(places, np.array(guesses.places, np.int64))
    return Subset(few, every, images.train.split)


def _with_size_of_images(settings: FineTuning, run: RunFolder) -> FineTuning:
    """The settings with a size of views, where nothing but the images tells it."""
    told = settings.init is not None or settings.image_size is not None
    if told or settings.dataset is None or run.is_run():
        return settings
    source = load(settings.dataset, labels=False, form=settings.form)
    size = defaults.image_size(len(source), native_side(source))
    return dataclasses.replace(settings, image_size=size)


def _with_start(
    settings: FineTuning, run: RunFolder
) -> tuple[FineTuning, ResolvedRecipe | None]:
    """The settings with what they leave open as the start, or a begun run, has it."""
    if run.is_run():
        settings = settings.completed_by(run.settings())
    if settings.init is None and not settings.from_scratch:
        raise UserError(
            "Say what is fine-tuned with --init=PATH, a run folder of pretrain or a "
            "SavedModel of simclr export; or --from_scratch with --encoder=NAME."
        )
    recipe = None
    found: dict[str, Any] = {}
    if settings.init is not None and RunFolder(settings.init).is_run():
        recipe = RunFolder(settings.init).recipe()
        names = ["encoder", "image_size", "channels", "value_range"]
        if RunFolder(settings.init).converted_from() is None:
            names.append("dataset")
            if settings.dataset is None and settings.test_dataset is None:
                names.append("test_dataset")
        found = {name: getattr(recipe, name) for name in names}
    elif settings.init is not None:
        require_place_of_weights(settings.init)
        found = {"encoder": settings.encoder or encoder_of(settings.init)}
        if _is_saved_model(settings.init):
            found["image_size"] = image_size_of(settings.init) or _SIZE
            found["channels"] = channels_of(settings.init)
    found.setdefault("image_size", _SIZE)
    found.setdefault("channels", 3)
    missing = {k: v for k, v in found.items() if getattr(settings, k) is None}
    settings = dataclasses.replace(settings, **missing)
    for name, what in (("encoder", "architecture"), ("dataset", "labelled images")):
        if getattr(settings, name) is None:
            why = f": {settings.init} does not tell it" if settings.init else ""
            raise UserError(f"Say the {what} with --{name}{why}.")
    require_layers_to_keep(recipe, settings.head_layers_kept)
    return settings, recipe


def _is_saved_model(path: str) -> bool:
    return tf.io.gfile.exists(os.path.join(path, "saved_model.pb"))


def load_labelled(settings: ClassifierTraining) -> tuple[Source, Source]:
    """The training and test images that settings name.

    Raises:
      DataError: where they have no labels, or one class.
    """
    assert settings.dataset is not None
    train, test = load_train_and_test(
        settings.dataset,
        settings.test_dataset,
        image_size=settings.loaded_size,
        form=settings.form,
    )
    for source in (train, test):
        if source.num_classes is None:
            raise DataError(
                f"{source} has no labels, and a classifier needs them. In a folder, "
                "put each class into a subfolder of its own."
            )
    if (train.num_classes or 0) < 2:
        raise DataError(f"{train} has one class, and a classifier tells two or more.")
    return train, test


def _start(
    settings: ResolvedFineTuning, model: Learner, say: Callable[[str], None]
) -> None:
    if settings.init is not None and not settings.from_scratch:
        load_start(settings.init, settings.head_layers_kept, model, say)


def _notes(settings: ResolvedFineTuning, seen: bool) -> list[str]:
    """Where it starts from, what is frozen, and what to know of the test images."""
    start = "random weights" if settings.from_scratch else settings.init
    frozen = ""
    if settings.fine_tune_after_block != NOTHING:
        frozen = f", frozen up to block {settings.fine_tune_after_block}"
    notes = [f"Fine-tuning: from {start}{frozen}"]
    if seen:
        notes.append(SEEN)
    return notes
