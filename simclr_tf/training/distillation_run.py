"""A distillation from its settings to its result (SimCLR v2, section 2.3)."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from simclr_tf import messages
from simclr_tf.data import Source, labelled_part
from simclr_tf.data.few_labels import FewLabels
from simclr_tf.data.relabelled import with_class_names
from simclr_tf.data.train_labels import choose_train_labels
from simclr_tf.errors import UserError
from simclr_tf.methods.distillation import DistillationMethod
from simclr_tf.methods.supervised import SupervisedMethod
from simclr_tf.model import Learner
from simclr_tf.model.distiller import Distiller
from simclr_tf.training.classifier import (
    Classes,
    build_classifier,
    classifier_folder,
    load_classifier,
    load_start,
)
from simclr_tf.training.classifier_images import (
    SEEN,
    has_seen,
    load_learned_and_measured,
)
from simclr_tf.training.classifier_run import (
    ClassifierTask,
    Conditions,
    train_classifier,
)
from simclr_tf.training.distillation import (
    DISTILLATION,
    Distillation,
    ResolvedDistillation,
)
from simclr_tf.training.run_folder import RunFolder
from simclr_tf.training.starting_weights import encoder_of


class _Images(NamedTuple):
    """Images of a distillation; `labels` is how many labels are used."""

    train: Source
    test: Source
    labels: int
    note: str


def distill(
    settings: Distillation,
    run_path: str,
    *,
    strategy: tf.distribute.Strategy | None = None,
    say: Callable[[str], None] = messages.say,
    **options: Any,
) -> dict:
    """Trains a student on a teacher's answers, and writes its run folder.

    Teacher and student see the same view of each image, the teacher in inference mode.
    What holds of `finetune` holds here.

    Args:
      settings: those left None take their defaults.
      run_path: the run folder, as of `finetune`.
      strategy: see `pretrain`.
      say: called with each line that a person should read.
      **options: of `Conditions.of`: `data_service`, `log_every` and the like.

    Returns:
      What result.json holds; nothing of a worker that is not the chief.

    Raises:
      UserError: for a mistake in the settings or the data, before any work is lost.
      Stopped: see `pretrain`.
    """
    on = Conditions.of(strategy, say, **options)
    run = RunFolder(run_path, DISTILLATION)
    if on.crew.is_chief:
        run.require_usable()
    if run.is_run():
        settings = settings.completed_by(run.settings())
    if settings.teacher is None:
        raise UserError("Name the teacher, a run of simclr finetune, with --teacher.")
    teacher = classifier_folder(settings.teacher)
    taught, classes = teacher.settings(), Classes.read(teacher)
    settings = _with_teacher(settings, taught)
    images = _load(settings, taught, classes)
    teacher.told_where_unfinished(on.say)
    resolved = settings.resolve(
        len(images.train),
        replicas=on.strategy.num_replicas_in_sync,
        of_itself=settings.encoder == taught.encoder,
    )
    seen = has_seen(resolved, images.test)
    method = DistillationMethod(resolved.temperature, resolved.label_weight)
    task = ClassifierTask(
        settings=resolved,
        train=images.train,
        test=images.test,
        classes=Classes(classes.names),
        build=lambda: _build(resolved, teacher, method),
        start=lambda model: _start(resolved, model, on.say),
        shown=method.shown,
        notes=[
            images.note,
            f"Distillation: from {settings.teacher}, {taught.encoder}, temperature "
            f"{resolved.temperature:g}, weight of labels {resolved.label_weight:g}",
            *([SEEN] if seen else []),
        ],
        figures={
            "labels_used": images.labels,
            "images_used": len(images.train),
            "teacher": settings.teacher,
            "teacher_top1": (teacher.read_result() or {}).get("top1"),
            "pretrained_on_test_images": seen,
        },
    )
    return train_classifier(task, run, on)


def _with_teacher(settings: Distillation, taught: Any) -> Distillation:
    """The settings with what they leave open as the start, or the teacher, has it."""
    names = ("image_size", "channels", "value_range", "dataset", "train_labels")
    found = {name: getattr(taught, name) for name in names}
    found["encoder"] = settings.init and encoder_of(settings.init)
    found["encoder"] = found["encoder"] or taught.encoder
    if settings.dataset in (None, taught.dataset):
        found["test_dataset"] = taught.test_dataset
    missing = {k: v for k, v in found.items() if getattr(settings, k) is None}
    settings = dataclasses.replace(settings, **missing)
    if settings.channels != taught.channels:
        raise UserError(
            f"channels must be the teacher's, {taught.channels}, got "
            f"{settings.channels}: both see the same views."
        )
    return settings


def _load(settings: Distillation, taught: Any, classes: Classes) -> _Images:
    """The images, with labels that mean the teacher's classes; the test images too."""
    train, test = load_learned_and_measured(settings)
    test = labelled_part(with_class_names(test, classes.names))
    if not settings.label_weight:
        return _Images(train, test, 0, f"{len(train):,} images without labels teach.")
    train = with_class_names(train, classes.names)
    chosen = choose_train_labels(train, settings.train_labels or "all", taught.seed)
    labels = len(chosen.labelled)
    few = FewLabels(train, chosen.places)
    return _Images(few, test, labels, f"{len(few):,} images teach. {chosen.note}")


def _build(
    settings: ResolvedDistillation, teacher: RunFolder, method: DistillationMethod
) -> Learner:
    """The student; the teacher's weights are those of its newest state."""
    model, classes = load_classifier(teacher, SupervisedMethod())
    make = functools.partial(Distiller, teacher=model)
    return build_classifier(settings, Classes(classes.names), method, make)


def _start(
    settings: ResolvedDistillation, model: Learner, say: Callable[[str], None]
) -> None:
    if settings.init is None:
        say("The student starts from random weights.")
    else:
        load_start(settings.init, 0, model, say)
