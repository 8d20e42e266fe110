"""A pretraining from its settings to its result."""

from __future__ import annotations

import contextlib
import dataclasses
import platform
import re
import statistics
import tempfile
from collections.abc import Callable, Iterator

import tensorflow as tf

from simclr_tf import messages
from simclr_tf.data import (
    HELD_OUT,
    PretrainingData,
    Source,
    data_errors,
    load_for_pretraining,
    require_divisible,
    steps_per_epoch,
)
from simclr_tf.distribution.crew import Crew
from simclr_tf.errors import UserError
from simclr_tf.evaluators import Monitor, make_evaluators
from simclr_tf.methods import method_class
from simclr_tf.model import Learner
from simclr_tf.progress import duration
from simclr_tf.training import run_files
from simclr_tf.training.build import build_model, build_optimizer
from simclr_tf.training.checkpoints import Checkpoints, newest_state
from simclr_tf.training.data_record import Calendar, DataRecord
from simclr_tf.training.journal import Journal
from simclr_tf.training.precision import has_fast_bfloat16
from simclr_tf.training.recipe import Recipe, ResolvedRecipe
from simclr_tf.training.run_folder import RunFolder, RunFolderError
from simclr_tf.training.run_lock import RunLock
from simclr_tf.training.steps import Stopped, Training
from simclr_tf.version import __version__


class WorkerLost(Stopped):
    """Another worker of the run is gone; the same commands resume it."""


def pretrain(
    recipe: Recipe,
    run_path: str,
    *,
    strategy: tf.distribute.Strategy | None = None,
    data_service: str | None = None,
    checkpoint_minutes: float = 5.0,
    accept_changed_data: bool = False,
    say: Callable[[str], None] = messages.say,
) -> dict:
    """Trains an encoder and writes its run folder; resumes a run begun there.

    The global batch of a step is a function of (seed, step), however many replicas
    and hosts share it, and weights, optimizer and metrics are restored together: on
    one device, with the same `strategy`, a resumed run equals one that was never
    stopped.

    Of several workers each calls this at the same time; `run_path` must be one
    folder that all reach, and the chief writes it.

    Args:
      recipe: the settings; those left None take their defaults.
      run_path: the run folder, see `RunFolder`.
      strategy: the devices, see `make_strategy`; TensorFlow's current one where None.
      data_service: address of a tf.data service that makes the batches.
      checkpoint_minutes: minutes from one saved state to the next within an epoch,
        0 or more; the state is also saved at the end of each epoch and at a stop.
      accept_changed_data: go on where the data has changed since the run was
        started: the epoch that was left begins anew, with the data as it is now.
      say: called with each line that a person should read.

    Returns:
      What result.json holds; nothing of a worker that is not the chief.

    Raises:
      UserError: for a mistake in the settings or the data (`DataError`,
        `RunFolderError`), before any work is lost; `Diverged` where the loss, the
        weights or the features are no longer numbers.
      Stopped: where SIGTERM or SIGINT came, to any worker; the state is saved.
        `WorkerLost` where another worker is gone; the newest state stays.
    """
    if not checkpoint_minutes >= 0:
        raise UserError(
            f"checkpoint_minutes must be 0 or more, got {checkpoint_minutes:g}."
        )
    strategy = strategy or tf.distribute.get_strategy()
    crew = Crew(strategy)
    say = say if crew.is_chief else _silent
    run = RunFolder(run_path)
    data, settings = _load(recipe, run, strategy, crew)
    model, per_epoch = _make_model(settings, data.train, strategy)

    with contextlib.ExitStack() as stack:
        lock, aside = _open(run, settings, crew, stack, say)
        stack.enter_context(_watching(crew, run))
        newest = newest_state(run.checkpoints, say)
        now = DataRecord.of(data.train, settings.epochs, per_epoch)
        record = _data_record(run, now, newest or 0, accept_changed_data, say)
        checkpoints, step, seconds = _restore(
            run, settings, model, record.calendar, newest, aside
        )
        crew.require_same(_facts(step, settings, record))
        journal = None
        if crew.is_chief:
            run.write_data(record)
            journal = Journal(run.metrics, run.tensorboard, step, say)
            stack.enter_context(journal)
        _announce(settings, data, model, step, record.calendar, say)
        training = Training(
            recipe=settings,
            run=run,
            source=data.train,
            monitor=_monitor(settings, data, model),
            model=model,
            calendar=record.calendar,
            crew=crew,
            checkpoints=checkpoints,
            checkpoint_seconds=60 * checkpoint_minutes,
            journal=journal,
            lock=lock,
            data_service=data_service,
            say=say,
            step=step,
            seconds_before=seconds,
        )
        with data_errors(data.train, data.bank, data.queries):
            training.run_to_end()
        if not crew.is_chief:
            return {}
        return _write_result(training, data, began_at=step)


def _silent(line: str) -> None:
    """What workers other than the chief say."""


def _load(
    recipe: Recipe, run: RunFolder, strategy: tf.distribute.Strategy, crew: Crew
) -> tuple[PretrainingData, ResolvedRecipe]:
    """The images, and the settings with all defaults that follow from them."""
    recipe.resolve()  # Mistakes are told before a large folder is read.
    data = load_for_pretraining(
        recipe.dataset,
        recipe.test_dataset,
        recipe.eval_dataset,
        image_size=recipe.image_size,
        labels=recipe.labels,
        pretrain_on_all=recipe.pretrain_on_all,
    )
    if recipe.precision is None and run.is_run():
        # Its default is the machine's, and the run may have begun on another one.
        recipe = dataclasses.replace(recipe, precision=run.recipe().precision)
    settings = recipe.resolve(
        min(data.train.image_shape[:2]),
        # Hosts know themselves alone, and must come to one default.
        fast_bfloat16=crew.count == 1 and has_fast_bfloat16(strategy),
    )
    kind = method_class(settings.method)
    if kind.learns_from_labels and data.train.num_classes is None:
        raise UserError(
            f"--method={settings.method} learns from labels, and {data.train} has none."
        )
    return data, settings


def _make_model(
    recipe: ResolvedRecipe, source: Source, strategy: tf.distribute.Strategy
) -> tuple[Learner, int]:
    """The compiled model, and how many steps an epoch has."""
    per_epoch = steps_per_epoch(source, recipe.batch_size)
    require_divisible(
        recipe.batch_size, strategy.num_replicas_in_sync, recipe.micro_batches
    )
    with strategy.scope():
        model = build_model(recipe, num_classes=source.num_classes)
        model.compile(build_optimizer(recipe, per_epoch))
    return model, per_epoch


def _open(
    run: RunFolder,
    recipe: ResolvedRecipe,
    crew: Crew,
    stack: contextlib.ExitStack,
    say: Callable[[str], None],
) -> tuple[RunLock | None, str | None]:
    """The chief's lock on its run folder; another worker's folder for what it saves."""
    if not crew.is_chief:
        return None, stack.enter_context(tempfile.TemporaryDirectory())
    run.make()
    lock = stack.enter_context(RunLock(run.lock, say))
    run_files.remove_unfinished(run.path)
    run.start(recipe)
    return lock, None


def _restore(
    run: RunFolder,
    recipe: ResolvedRecipe,
    model: Learner,
    calendar: Calendar,
    newest: int | None,
    aside: str | None,
) -> tuple[Checkpoints, int, float]:
    """The run's checkpoints, and the steps and seconds of the state restored."""
    if calendar.offset:
        with model.distribute_strategy.scope():
            model.compile(
                build_optimizer(recipe, calendar.steps_per_epoch, calendar.offset)
            )
    checkpoints = Checkpoints(run.checkpoints, model, write_to=aside)
    if not newest:
        return checkpoints, 0, 0.0
    step, seconds = checkpoints.restore(newest)
    if step == calendar.since:
        model.reset_metrics()  # Of the epoch that begins anew.
    return checkpoints, step, seconds


def _data_record(
    run: RunFolder,
    now: DataRecord,
    step: int,
    accept_changed_data: bool,
    say: Callable[[str], None],
) -> DataRecord:
    """What the run learns from: as before, or with the change that was accepted."""
    if not step:
        return now
    before = run.read_data()
    if before is None:  # A run begun before this was kept.
        row = (run.read_metrics() or [{}])[-1]
        length = now.calendar.steps_per_epoch
        if row.get("epoch"):
            length = max(row["step"] // row["epoch"], 1)
        before = DataRecord(None, Calendar(now.calendar.epochs, length))
    changes = before.changes(now)
    if not changes:
        if step < before.calendar.since:  # The states after the change are damaged.
            return before.going_on(now, step)
        return dataclasses.replace(before, fingerprint=now.fingerprint)
    told = f"The data of {run.path} has changed since the run was started: "
    told += "; ".join(changes) + ". "
    epoch = before.calendar.epoch_of(step) + 1
    if not accept_changed_data:
        raise RunFolderError(
            f"{told}Restore it, choose another folder with --run, or go on with the "
            f"data as it is now with --accept_changed_data: epoch {epoch} then begins "
            "anew."
        )
    say(f"{told}Epoch {epoch} begins anew with the data as it is now.")
    return before.going_on(now, step)


def _facts(step: int, recipe: ResolvedRecipe, record: DataRecord) -> dict[str, object]:
    """What all workers of a run must agree on."""
    settings = dataclasses.asdict(recipe)
    # Hosts may keep the same images in different places.
    for name in ("dataset", "test_dataset", "eval_dataset"):
        del settings[name]
    return {
        "steps done": step,
        "settings": settings,
        "data": record.to_dict(),
        "versions": _versions(),
    }


def _monitor(recipe: ResolvedRecipe, data: PretrainingData, model: Learner) -> Monitor:
    """What measures the encoder as it trains; the images learned from, if no others."""
    return Monitor(
        make_evaluators(recipe.eval),
        data.bank,
        data.train if data.queries is None else data.queries,
        recipe.image_size,
        model.augmenter,
    )


@contextlib.contextmanager
def _watching(crew: Crew, run: RunFolder) -> Iterator[None]:
    """Turns what TensorFlow raises when a worker dies into `WorkerLost`."""
    try:
        yield
    except (
        tf.errors.UnavailableError,
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
        tf.errors.InternalError,
    ) as error:
        if crew.count == 1:
            raise
        tasks = re.findall(r"/job:(\w+)(?:/replica:\d+)?/task:(\d+)", error.message)
        others = {(job, int(task)) for job, task in tasks} - {crew.task}
        lost = "{} {}".format(*min(others)) if others else "another worker"
        raise WorkerLost(
            f"Of {crew.count} workers {lost} is gone. Start the same command on every "
            f"host again: it resumes from the newest state in {run.path}."
        ) from error


def _announce(
    recipe: ResolvedRecipe,
    data: PretrainingData,
    model: Learner,
    step: int,
    calendar: Calendar,
    say: Callable[[str], None],
) -> None:
    """Says what is trained, on what, and how."""
    method = ", ".join(filter(None, [recipe.method, model.method.summary]))
    views = f"views of {recipe.image_size} px"
    if recipe.early_epochs:
        views += f" (first {recipe.early_epochs} epochs {recipe.early_view_size} px)"
    lines = [
        f"Data: {data.train}",
        *([data.note] if data.note else []),
        f"Encoder: {recipe.encoder}, {model.encoder.count_params():,} parameters, "
        f"{recipe.precision}, {views}",
        f"Training: {recipe.epochs} epochs of {calendar.steps_per_epoch:,} steps of "
        f"{recipe.batch_size:,} images, {recipe.optimizer}, learning rate "
        f"{recipe.learning_rate:g} ({recipe.learning_rate_scaling})",
        f"Method: {method}; views {recipe.views}",
    ]
    if step:
        lines.append(f"Resuming after step {step:,}.")
    say("\n".join(lines))
    imitated = not has_fast_bfloat16(model.distribute_strategy)
    if recipe.precision == "bfloat16" and not step and imitated:
        say(
            "This machine shows no instructions for bfloat16; where it imitates "
            "them, --precision=float32 is several times as fast."
        )


def _versions() -> dict[str, str]:
    return {
        "simclr_tf": __version__,
        "tensorflow": tf.__version__,
        "python": platform.python_version(),
    }


def _write_result(training: Training, data: PretrainingData, began_at: int) -> dict:
    """Writes result.json of a run that is complete, and returns what it holds."""
    run, total = training.run, training.calendar.total
    if began_at == total:
        with contextlib.suppress(RunFolderError):  # A damaged one is written anew.
            before = run.read_result()
            if before is not None and before.get("steps") == total:
                training.say(f"All {total:,} steps were taken before; see {run.path}.")
                return before
    rows = run.read_metrics()
    if not rows:
        training.say(f"{run.metrics} is missing: the figures of the epochs are lost.")
    held_out = 0
    own = training.recipe.eval_dataset is None
    if own and data.queries is not None and data.queries.split == HELD_OUT:
        held_out = len(data.queries)
    result = {
        "steps": total,
        "epochs": training.recipe.epochs,
        "seconds": training.seconds,
        "images_per_second": _speed(rows),
        "metrics": rows[-1] if rows else {},
        "held_out": held_out,
        "pretrained_on_all": bool(held_out) and training.recipe.pretrain_on_all,
        "replicas": training.model.distribute_strategy.num_replicas_in_sync,
        "encoder_parameters": training.model.encoder.count_params(),
        "versions": _versions(),
    }
    run.write_result(result)
    training.say(
        f"Trained {total:,} steps in {duration(result['seconds'])}; see {run.path}."
    )
    return result


def _speed(rows: list[dict]) -> float | None:
    """Images a second, without the first epoch, which also compiles."""
    told = (row.get("images_per_second") for row in rows[1:] or rows)
    speeds = [float(speed) for speed in told if speed]
    return statistics.harmonic_mean(speeds) if speeds else None
