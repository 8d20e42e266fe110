"""A fine-tuning from its settings to its result."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from simclr_tf import messages
from simclr_tf.data import (
    PretrainingData,
    Source,
    labelled_part,
    load_train_and_test,
    require_divisible,
    steps_per_epoch,
)
from simclr_tf.data.train_labels import TrainLabels, choose_train_labels
from simclr_tf.distribution.crew import Crew
from simclr_tf.encoder.freezing import NOTHING
from simclr_tf.errors import UserError
from simclr_tf.export import channels_of, export_classifier, image_size_of
from simclr_tf.image_size import height_and_width, image_size_text
from simclr_tf.methods.supervised import SupervisedMethod
from simclr_tf.model import Learner
from simclr_tf.progress import duration
from simclr_tf.training.begin import Begun, begin_or_resume
from simclr_tf.training.build import build_optimizer
from simclr_tf.training.calendar import Calendar
from simclr_tf.training.checkpoints import newest_state
from simclr_tf.training.classifier import (
    Classes,
    build_classifier,
    load_classifier,
    load_start,
    require_layers_to_keep,
)
from simclr_tf.training.classifier_accuracy import Accuracies, ClassifierAccuracy
from simclr_tf.training.feed import replica_batches
from simclr_tf.training.fine_tuning import FINETUNING, FineTuning, ResolvedFineTuning
from simclr_tf.training.how_often import HowOften
from simclr_tf.training.image_verdicts import keeping_verdicts
from simclr_tf.training.learned_from import was_learned_from
from simclr_tf.training.metrics_file import epoch_rows
from simclr_tf.training.recipe import ResolvedRecipe
from simclr_tf.training.result import result_before, versions
from simclr_tf.training.run_folder import RunFolder
from simclr_tf.training.run_loop import Measurement, Part, RunLoop
from simclr_tf.training.starting_weights import encoder_of

_SIZE = 224  # of what does not say it
# Short names of figures, for a line of progress.
_SHOWN = {"loss": "supervised_loss", "acc": "supervised_accuracy"}


class _Data(NamedTuple):
    """Images of a fine-tuning: those with labels, and those to measure on."""

    chosen: TrainLabels
    test: Source


def finetune(
    settings: FineTuning,
    run_path: str,
    *,
    strategy: tf.distribute.Strategy | None = None,
    data_service: str | None = None,
    checkpoint_minutes: float = 5.0,
    checkpoint_steps: int = 0,
    log_every: int = 100,
    accept_changed_data: bool = False,
    say: Callable[[str], None] = messages.say,
) -> dict:
    """Trains an encoder and a classifier on labels, and writes its run folder.

    Fine-tuning as of SimCLR, appendix B.5, and SimCLR v2, section 2.2: random crops and
    flips, cross entropy, the whole encoder or its last parts, from any layer of the
    projection head. What holds of `pretrain` holds here: a run that is stopped is
    resumed by the same call and ends as if it never had been, on one device to the bit,
    and replicas share the batch that one device would see.

    Args:
      settings: those left None take their defaults.
      run_path: the run folder; what it holds is that of a pretraining (see
        `RunFolder`), classes.json, and in the end `classifier/`, see
        `export_classifier`.
      strategy: see `pretrain`.
      data_service: see `pretrain`.
      checkpoint_minutes: see `pretrain`.
      checkpoint_steps: see `pretrain`.
      log_every: see `pretrain`.
      accept_changed_data: see `pretrain`.
      say: called with each line that a person should read.

    Returns:
      What result.json holds: `top1`, `top5`, `mean_per_class` and the like on all test
      images, `labels_used`, and more; nothing of a worker that is not the chief.

    Raises:
      UserError: for a mistake in the settings or the data, before any work is lost.
      Stopped: see `pretrain`.
    """
    often = HowOften(log_every, checkpoint_steps, checkpoint_minutes)
    strategy = strategy or tf.distribute.get_strategy()
    crew = Crew(strategy)
    say = say if crew.is_chief else _silent
    run = RunFolder(run_path, FINETUNING)
    settings, recipe = _with_start(settings, run)
    data = _load(settings)
    count = len(data.chosen.labelled)
    resolved = settings.resolve(count, replicas=strategy.num_replicas_in_sync)
    classes = Classes.of(data.chosen.labelled, recipe, resolved.head_layers_kept)
    model = _make_model(resolved, run, data.chosen.labelled, classes, strategy, say)
    with contextlib.ExitStack() as stack:
        begun = begin_or_resume(
            resolved,
            run,
            data.chosen.labelled,
            model,
            crew,
            often,
            accept_changed_data,
            stack,
            say,
        )
        if crew.is_chief:
            classes.write(run)
        images = PretrainingData(data.chosen.labelled, None, data.test, "")
        stack.enter_context(keeping_verdicts(images, run.path, crew.is_chief, False))
        _announce(resolved, data, model, begun, recipe, say)
        accuracy = ClassifierAccuracy(model, data.test, resolved.image_size)
        parts = _Parts(resolved, data, model, begun.calendar, data_service)
        loop = RunLoop(
            run=run,
            model=model,
            begun=begun,
            crew=crew,
            often=often,
            part=parts.part,
            measurement=_measurement(resolved, accuracy),
            shown=_SHOWN,
            pixels=parts.pixels,
            sources=(data.chosen.labelled, data.test),
            batch_size=resolved.batch_size,
            steps_per_execution=resolved.steps_per_execution,
            say=say,
        )
        loop.run_to_end()
        return _result(loop, resolved, data, classes, accuracy, recipe)


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
            raise UserError(f"Say the {what} with --{name}: --init does not tell.")
    require_layers_to_keep(recipe, settings.head_layers_kept)
    return settings, recipe


def _is_saved_model(path: str) -> bool:
    return tf.io.gfile.exists(os.path.join(path, "saved_model.pb"))


def _load(settings: FineTuning) -> _Data:
    """The images, those whose labels are used apart."""
    assert settings.dataset is not None
    train, test = load_train_and_test(
        settings.dataset,
        settings.test_dataset,
        image_size=settings.loaded_size,
        form=settings.form,
    )
    chosen = choose_train_labels(train, settings.train_labels, settings.seed)
    if (train.num_classes or 0) < 2:
        raise UserError(f"{train} has one class, and a classifier tells two or more.")
    return _Data(chosen, labelled_part(test))


def _make_model(
    settings: ResolvedFineTuning,
    run: RunFolder,
    source: Source,
    classes: Classes,
    strategy: tf.distribute.Strategy,
    say: Callable[[str], None],
) -> Learner:
    """The compiled model with its first weights, its first parts frozen."""
    replicas = strategy.num_replicas_in_sync
    require_divisible(settings.batch_size, replicas, settings.micro_batches)
    per_epoch = steps_per_epoch(source, settings.batch_size)
    with strategy.scope():
        model = build_classifier(settings, classes, SupervisedMethod())
        model.compile(build_optimizer(settings, per_epoch))
    begins = newest_state(run.checkpoints, _silent) is None
    if begins and settings.init is not None and not settings.from_scratch:
        load_start(settings.init, settings.head_layers_kept, model, say)
    return model


def _announce(
    settings: ResolvedFineTuning,
    data: _Data,
    model: Learner,
    begun: Begun,
    recipe: ResolvedRecipe | None,
    say: Callable[[str], None],
) -> None:
    """Says what is trained, on what, and how."""
    learn = sum(math.prod(v.shape) for v in model.trainable_variables)
    frozen = ""
    if settings.fine_tune_after_block != NOTHING:
        frozen = f", frozen up to block {settings.fine_tune_after_block}"
    start = "random weights" if settings.from_scratch else settings.init
    lines = [
        f"Data: {data.chosen.labelled}",
        data.chosen.note,
        f"Test: {data.test}",
        f"Encoder: {settings.encoder} from {start}{frozen}, {learn:,} weights learn, "
        f"{settings.precision}, views of {image_size_text(settings.image_size)} px",
        f"Training: {settings.epochs} epochs of {begun.calendar.steps_per_epoch:,} "
        f"steps of {settings.batch_size:,} images, {settings.optimizer}, learning rate "
        f"{settings.learning_rate:g} ({settings.learning_rate_scaling}); views "
        f"{settings.views}",
    ]
    if was_learned_from(recipe, data.test) and not settings.from_scratch:
        lines.append(
            "The encoder was pretrained on the test images too: the figures will be "
            "better than on new images."
        )
    if begun.step:
        lines.append(f"Resuming after step {begun.step:,}.")
    say("\n".join(lines))


@dataclasses.dataclass(frozen=True)
class _Parts:
    """The epochs of a fine-tuning, which are all of one kind."""

    settings: ResolvedFineTuning
    data: _Data
    model: Learner
    calendar: Calendar
    data_service: str | None

    def part(self, step: int) -> Part:
        """See `RunLoop`."""
        batches = replica_batches(
            self.settings,
            self.data.chosen.labelled,
            self.model,
            start_step=self.calendar.data_step(step),
            data_service=self.data_service,
        )
        return Part(self.settings.epochs, self.settings.image_size, batches)

    def pixels(self, images: int) -> float:
        """See `RunLoop`."""
        return float(images * math.prod(height_and_width(self.settings.image_size)))


def _measurement(
    settings: ResolvedFineTuning, accuracy: ClassifierAccuracy
) -> Measurement:
    return Measurement(
        accuracy.sample,
        settings.eval_every,
        {"test": "test_accuracy"},
        at_end=accuracy.measure,
    )


def _result(
    loop: RunLoop,
    settings: ResolvedFineTuning,
    data: _Data,
    classes: Classes,
    accuracy: ClassifierAccuracy,
    recipe: ResolvedRecipe | None,
) -> dict:
    """Writes classifier/ and result.json, where a run before did not."""
    run, total, say = loop.run, loop.begun.calendar.total, loop.say
    if accuracy.found is None:  # All steps were taken before.
        before = result_before(run, total, say)
        if before is not None:
            return before
        accuracy.measure()
    if not loop.crew.is_chief:
        return {}
    assert accuracy.found is not None
    found: Accuracies = accuracy.found
    # As a file has the weights, not as devices share them.
    model, _ = load_classifier(run, SupervisedMethod(), precision="float32")
    folder = os.path.join(run.path, "classifier")
    export_classifier(
        model,
        folder,
        classes=classes.names,
        image_size=settings.image_size,
        value_range=settings.form.value_range,
    )
    rows = epoch_rows(run.read_metrics())
    result = {
        **found._asdict(),
        "labels_used": len(data.chosen.labelled),
        "classes": classes.names,
        "chance": 1.0 / len(classes.names),
        "pretrained_on_test_images": (
            was_learned_from(recipe, data.test) and not settings.from_scratch
        ),
        "steps": total,
        "epochs": settings.epochs,
        "seconds": loop.seconds,
        "metrics": rows[-1] if rows else {},
        "replicas": loop.model.distribute_strategy.num_replicas_in_sync,
        "encoder_parameters": model.encoder.count_params(),
        "versions": versions(),
    }
    run.write_result(result)
    say(_told(found, len(data.chosen.labelled)))
    say(f"Trained {total:,} steps in {duration(loop.seconds)}; see {run.path}.")
    say(f"The classifier is {folder}.")
    return result


def _told(found: Accuracies, labels: int) -> str:
    top5 = "" if found.top5 is None else f", top-5 {found.top5:.4f}"
    return (
        f"Test accuracy of {found.images:,} images, from {labels:,} labels: top-1 "
        f"{found.top1:.4f} (standard error {found.standard_error:.4f}){top5}, mean of "
        f"the classes {found.mean_per_class:.4f}. To name the largest class each time: "
        f"{found.largest_class:.4f}."
    )


def _silent(line: str) -> None:
    """What workers other than the chief say."""
