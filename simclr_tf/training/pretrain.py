"""A pretraining from its settings to its result."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
import time
from collections.abc import Callable

import tensorflow as tf

from simclr_tf import messages
from simclr_tf.data import Source, require_divisible, steps_per_epoch
from simclr_tf.distribution.crew import Crew
from simclr_tf.model import Learner
from simclr_tf.training import run_files
from simclr_tf.training.announcement import announce
from simclr_tf.training.build import build_model, build_optimizer
from simclr_tf.training.calendar import Calendar
from simclr_tf.training.changed_data import data_record
from simclr_tf.training.checkpoints import Checkpoints, newest_state
from simclr_tf.training.data_record import DataRecord
from simclr_tf.training.fit_to_time import Budget, require_one_machine
from simclr_tf.training.journal import Journal
from simclr_tf.training.monitor import make_monitor
from simclr_tf.training.precision import has_fast_bfloat16
from simclr_tf.training.pretrain_loop import HowOften, PretrainLoop
from simclr_tf.training.recipe import Recipe, ResolvedRecipe
from simclr_tf.training.result import result_before, versions, write_result
from simclr_tf.training.run_folder import RunFolder
from simclr_tf.training.run_lock import RunLock
from simclr_tf.training.run_settings import load_and_resolve
from simclr_tf.training.starting_weights import load_encoder
from simclr_tf.training.stopped import noticing_lost_workers


def pretrain(
    recipe: Recipe,
    run_path: str,
    *,
    strategy: tf.distribute.Strategy | None = None,
    minutes: float | None = None,
    data_service: str | None = None,
    checkpoint_minutes: float = 5.0,
    checkpoint_steps: int = 0,
    log_every: int = 100,
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
      minutes: that the run may take: it measures its speed first, and chooses what the
        recipe leaves open of encoder, view sizes and epochs so that it ends then, see
        `fit_to_time`. Of a run that has begun it changes nothing.
      data_service: address of a tf.data service that makes the batches.
      checkpoint_minutes: minutes from one saved state to the next within an epoch,
        0 or more; the state is also saved at the end of each epoch and at a stop.
      checkpoint_steps: steps from one saved state to the next; 0 for no number.
      log_every: steps from one row of metrics.jsonl to the next; 0 for one at the end
        of each epoch alone, where there always is one.
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
    often = HowOften(log_every, checkpoint_steps, checkpoint_minutes)
    strategy = strategy or tf.distribute.get_strategy()
    crew = Crew(strategy)
    say = say if crew.is_chief else _silent
    run = RunFolder(run_path)
    budget = _budget(minutes, crew, data_service)
    fast = has_fast_bfloat16(strategy)
    recipe, data, settings = load_and_resolve(
        recipe, run, strategy, crew, budget, fast_bfloat16=fast, say=say
    )
    model, per_epoch = _make_model(settings, run, data.train, strategy, say)

    with contextlib.ExitStack() as stack:
        lock, aside = _open(run, settings, crew, stack, say)
        stack.enter_context(noticing_lost_workers(crew, run.path))
        newest = newest_state(run.checkpoints, say)
        now = DataRecord.of(data.train, settings.all_epochs, per_epoch, model.augmenter)
        record = data_record(run, now, newest or 0, accept_changed_data, say)
        calendar = record.calendar
        checkpoints, step, seconds = _restore(
            run, settings, model, calendar, newest, aside
        )
        crew.require_same(_facts(step, settings, record, often))
        journal = _journal(run, record, step, stack, say) if crew.is_chief else None
        announce(
            recipe, settings, data, model, step, calendar, fast_bfloat16=fast, say=say
        )
        loop = PretrainLoop(
            recipe=settings,
            run=run,
            data=data,
            monitor=make_monitor(settings, data, model),
            model=model,
            calendar=calendar,
            crew=crew,
            checkpoints=checkpoints,
            often=often,
            journal=journal,
            lock=lock,
            data_service=data_service,
            say=say,
            step=step,
            seconds_before=seconds + (budget.spent if budget else 0.0),
        )
        loop.run_to_end()
        return _result(loop) if crew.is_chief else {}


def _budget(
    minutes: float | None, crew: Crew, data_service: str | None
) -> Budget | None:
    """The time of a run that begins now."""
    if minutes is None:
        return None
    require_one_machine(crew, data_service)
    return Budget(minutes, time.monotonic())


def _journal(
    run: RunFolder,
    record: DataRecord,
    step: int,
    stack: contextlib.ExitStack,
    say: Callable[[str], None],
) -> Journal:
    """The chief's journal, once the record of its data is written."""
    run.write_data(record)
    return stack.enter_context(Journal(run.metrics, run.tensorboard, step, say))


def _result(loop: PretrainLoop) -> dict:
    """What result.json holds, or held where all steps were taken before."""
    run, total, say = loop.run, loop.calendar.total, loop.say
    if loop.step == total:
        before = result_before(run, total, say)
        if before is not None:
            return before
    return write_result(
        run,
        loop.recipe,
        loop.data,
        loop.model,
        steps=total,
        seconds=loop.seconds,
        say=say,
    )


def _silent(line: str) -> None:
    """What workers other than the chief say."""


def _make_model(
    recipe: ResolvedRecipe,
    run: RunFolder,
    source: Source,
    strategy: tf.distribute.Strategy,
    say: Callable[[str], None],
) -> tuple[Learner, int]:
    """The compiled model with its first weights, and how many steps an epoch has."""
    per_epoch = steps_per_epoch(source, recipe.batch_size)
    require_divisible(
        recipe.batch_size, strategy.num_replicas_in_sync, recipe.micro_batches
    )
    with strategy.scope():
        model = build_model(recipe, num_classes=source.num_classes)
        model.compile(build_optimizer(recipe, per_epoch))
    if recipe.init is not None and newest_state(run.checkpoints, _silent) is None:
        load_encoder(recipe.init, model, say)
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


def _facts(
    step: int,
    recipe: ResolvedRecipe,
    record: DataRecord,
    often: HowOften,
) -> dict[str, object]:
    """What all workers of a run must agree on: they log and save together."""
    settings = dataclasses.asdict(recipe)
    # Hosts may keep the same images in different places.
    for name in ("dataset", "test_dataset", "eval_dataset"):
        del settings[name]
    return {
        "steps done": step,
        "settings": settings,
        "log_every and checkpoint_steps": [often.log_every, often.checkpoint_steps],
        "data": record.to_dict(),
        "versions": versions(),
    }
