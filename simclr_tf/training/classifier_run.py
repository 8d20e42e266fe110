"""The training of a classifier from its data to its result, whatever teaches it."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from simclr_tf import messages
from simclr_tf.data import (
    PretrainingData,
    Source,
    data_errors,
    require_divisible,
    steps_per_epoch,
)
from simclr_tf.distribution.crew import Crew
from simclr_tf.evaluators.verdict import standard_error
from simclr_tf.export import export_classifier
from simclr_tf.image_size import height_and_width, image_size_text
from simclr_tf.methods.supervised import SupervisedMethod
from simclr_tf.model import Learner
from simclr_tf.progress import duration
from simclr_tf.training.begin import Begun, begin_or_resume
from simclr_tf.training.build import build_optimizer
from simclr_tf.training.checkpoints import newest_state
from simclr_tf.training.classifier import Classes, load_classifier
from simclr_tf.training.classifier_accuracy import Accuracies, ClassifierAccuracy
from simclr_tf.training.classifier_settings import ResolvedClassifierTraining
from simclr_tf.training.feed import replica_batches
from simclr_tf.training.how_often import HowOften
from simclr_tf.training.image_verdicts import keeping_verdicts
from simclr_tf.training.metrics_file import epoch_rows
from simclr_tf.training.result import result_before, versions
from simclr_tf.training.run_folder import RunFolder
from simclr_tf.training.run_loop import Measurement, Part, RunLoop

# Above chance by fewer standard errors, an accuracy shows nothing.
_ERRORS = 3.0


@dataclasses.dataclass(frozen=True)
class Conditions:
    """How a run is trained, beside its settings; see the arguments of `pretrain`."""

    strategy: tf.distribute.Strategy
    crew: Crew
    often: HowOften
    data_service: str | None
    accept_changed_data: bool
    say: Callable[[str], None]

    @classmethod
    def of(
        cls,
        strategy: tf.distribute.Strategy | None,
        say: Callable[[str], None],
        *,
        data_service: str | None = None,
        checkpoint_minutes: float = 5.0,
        checkpoint_steps: int = 0,
        log_every: int = 100,
        accept_changed_data: bool = False,
    ) -> Conditions:
        """Those of arguments that `pretrain` takes too; only the chief says anything.

        Raises:
          UserError: where one is out of its range.
        """
        often = HowOften(log_every, checkpoint_steps, checkpoint_minutes)
        strategy = strategy or tf.distribute.get_strategy()
        crew = Crew(strategy)
        say = say if crew.is_chief else messages.silent
        return cls(strategy, crew, often, data_service, accept_changed_data, say)


@dataclasses.dataclass(frozen=True)
class ClassifierTask:
    """What is trained, on what, and how it starts.

    Attributes:
      settings: all of them.
      train: images to learn from.
      test: labelled images to measure on.
      classes: that it tells apart.
      build: makes the model, with new weights; called in the strategy's scope.
      start: gives a new model the weights that it starts from, and says which.
      shown: short names of the model's figures, for a line of progress.
      notes: lines on what is learned, and from what.
      figures: more of result.json, `labels_used` among them.
    """

    settings: ResolvedClassifierTraining
    train: Source
    test: Source
    classes: Classes
    build: Callable[[], Learner]
    start: Callable[[Learner], None]
    shown: Mapping[str, str]
    notes: Sequence[str]
    figures: Mapping[str, Any]


def train_classifier(task: ClassifierTask, run: RunFolder, on: Conditions) -> dict:
    """Takes the steps of a run that are left, and writes its classifier and result.

    Args:
      task: what is trained.
      run: the run folder, with its kind.
      on: how.

    Returns:
      What result.json holds; nothing of a worker that is not the chief.

    Raises:
      UserError, Stopped: see `pretrain`.
    """
    model = _make_model(task, run, on)
    with contextlib.ExitStack() as stack:
        begun = begin_or_resume(
            task.settings,
            run,
            task.train,
            model,
            on.crew,
            on.often,
            on.accept_changed_data,
            stack,
            on.say,
        )
        if on.crew.is_chief:
            task.classes.write(run)
        images = PretrainingData(task.train, None, task.test, "")
        stack.enter_context(keeping_verdicts(images, run.path, on.crew.is_chief, False))
        _announce(task, model, begun, on.say)
        accuracy = ClassifierAccuracy(model, task.test, task.settings.image_size)
        loop = _loop(task, run, model, begun, accuracy, on)
        loop.run_to_end()
        return _result(task, loop, accuracy)


def _make_model(task: ClassifierTask, run: RunFolder, on: Conditions) -> Learner:
    """The compiled model with its first weights."""
    settings = task.settings
    replicas = on.strategy.num_replicas_in_sync
    require_divisible(settings.batch_size, replicas, settings.micro_batches)
    per_epoch = steps_per_epoch(task.train, settings.batch_size)
    with on.strategy.scope():
        model = task.build()
        model.compile(build_optimizer(settings, per_epoch))
    if newest_state(run.checkpoints, messages.silent) is None:
        task.start(model)
    return model


def _loop(
    task: ClassifierTask,
    run: RunFolder,
    model: Learner,
    begun: Begun,
    accuracy: ClassifierAccuracy,
    on: Conditions,
) -> RunLoop:
    settings = task.settings

    def part(step: int) -> Part:
        batches = replica_batches(
            settings,
            task.train,
            model,
            start_step=begun.calendar.data_step(step),
            data_service=on.data_service,
        )
        return Part(settings.epochs, settings.image_size, batches)

    return RunLoop(
        run=run,
        model=model,
        begun=begun,
        crew=on.crew,
        often=on.often,
        part=part,
        measurement=Measurement(
            accuracy.sample,
            settings.eval_every,
            {"test": "test_accuracy"},
            at_end=accuracy.measure,
        ),
        shown=task.shown,
        pixels=lambda images: float(
            images * math.prod(height_and_width(settings.image_size))
        ),
        sources=(task.train, task.test),
        batch_size=settings.batch_size,
        steps_per_execution=settings.steps_per_execution,
        say=on.say,
    )


def _announce(
    task: ClassifierTask, model: Learner, begun: Begun, say: Callable[[str], None]
) -> None:
    """Says what is trained, on what, and how."""
    settings = task.settings
    learn = sum(math.prod(each.shape) for each in model.trainable_variables)
    on_classes = (task.train.class_note, task.test.class_note)
    lines = [
        f"Data: {task.train}",
        f"Test: {task.test}",
        *dict.fromkeys(note for note in on_classes if note),
        *task.notes,
        f"Classifier: {len(task.classes.names):,} classes on {settings.encoder}, "
        f"{learn:,} weights learn, {settings.precision}, views of "
        f"{image_size_text(settings.image_size)} px",
        f"Training: {settings.epochs:,} epochs of {begun.calendar.steps_per_epoch:,} "
        f"steps of {settings.batch_size:,} images, {settings.optimizer}, learning rate "
        f"{settings.learning_rate:g} ({settings.learning_rate_scaling}), weight decay "
        f"{settings.weight_decay:g}; views {settings.views}",
    ]
    if begun.step:
        lines.append(f"Resuming after step {begun.step:,}.")
    say("\n".join(lines))


def _result(task: ClassifierTask, loop: RunLoop, accuracy: ClassifierAccuracy) -> dict:
    """What result.json holds, or held where all steps were taken before."""
    run, total, say = loop.run, loop.begun.calendar.total, loop.say
    if accuracy.found is None:  # All steps were taken before.
        before = result_before(run, total, say)
        if before is not None:
            measured = before.get("test_data", str(task.test))
            if measured != str(task.test):
                say(
                    f"Its figures are those of {measured}. simclr classify measures "
                    "a finished run on other images."
                )
            return before if loop.crew.is_chief else {}
        with data_errors(task.test):
            accuracy.measure()
    if not loop.crew.is_chief:
        return {}
    assert accuracy.found is not None
    folder = _export(task, run)
    result = _figures(task, loop, accuracy.found)
    run.write_result(result)
    say(_told(accuracy.found, len(task.classes.names), task.figures["labels_used"]))
    say(f"Trained {total:,} steps in {duration(loop.seconds)}; see {run.path}.")
    say(f"The classifier is {folder}.")
    return result


def _export(task: ClassifierTask, run: RunFolder) -> str:
    """Writes the classifier, as a file has its weights, not as devices share them."""
    folder = os.path.join(run.path, "classifier")
    model, classes = load_classifier(run, SupervisedMethod(), precision="float32")
    export_classifier(
        model,
        folder,
        classes=classes.names,
        image_size=task.settings.image_size,
        value_range=task.settings.form.value_range,
    )
    return folder


def _figures(task: ClassifierTask, loop: RunLoop, found: Accuracies) -> dict:
    rows = epoch_rows(loop.run.read_metrics())
    return {
        **found._asdict(),
        **task.figures,
        "test_data": str(task.test),
        "classes": task.classes.names,
        "chance": 1.0 / len(task.classes.names),
        "steps": loop.begun.calendar.total,
        "epochs": task.settings.epochs,
        "seconds": loop.seconds,
        "metrics": rows[-1] if rows else {},
        "replicas": loop.model.distribute_strategy.num_replicas_in_sync,
        "encoder_parameters": loop.model.encoder.count_params(),
        "versions": versions(),
    }


def _told(found: Accuracies, classes: int, labels: int) -> str:
    """The accuracies beside those of what has learned nothing."""
    floor = max(1.0 / classes, found.largest_class)
    error = standard_error(floor, found.images)
    told = (
        f"Test accuracy of {found.images:,} images, from {labels:,} labels: {found}. "
        f"Chance: {1.0 / classes:.4f}; to name the largest class each time: "
        f"{found.largest_class:.4f}."
    )
    if found.top1 < floor + _ERRORS * error:
        told += " Verdict: it is not shown that it learned."
    return told
