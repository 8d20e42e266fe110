"""Opens a run's folder and brings its state back, before its first step or its next."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Callable

from simclr_tf.data import Source, steps_per_epoch
from simclr_tf.distribution.crew import Crew
from simclr_tf.model import Learner
from simclr_tf.training import run_files
from simclr_tf.training.build import build_optimizer
from simclr_tf.training.calendar import Calendar
from simclr_tf.training.changed_data import data_record
from simclr_tf.training.checkpoints import Checkpoints, newest_state
from simclr_tf.training.data_record import DataRecord
from simclr_tf.training.how_often import HowOften
from simclr_tf.training.journal import Journal
from simclr_tf.training.result import versions
from simclr_tf.training.run_folder import RunFolder
from simclr_tf.training.run_lock import RunLock
from simclr_tf.training.settings import TrainingSettings
from simclr_tf.training.stopped import noticing_lost_workers


@dataclasses.dataclass(frozen=True)
class Begun:
    """A run whose folder is open.

    Attributes:
      calendar: where its epochs lie.
      checkpoints: its saved states.
      step: how many steps are done.
      seconds: that those steps took.
      lock: the chief's; None of another worker.
      journal: the chief's; None of another worker.
    """

    calendar: Calendar
    checkpoints: Checkpoints
    step: int
    seconds: float
    lock: RunLock | None
    journal: Journal | None


def begin_or_resume(
    settings: TrainingSettings,
    run: RunFolder,
    source: Source,
    model: Learner,
    crew: Crew,
    often: HowOften,
    accept_changed_data: bool,
    stack: contextlib.ExitStack,
    say: Callable[[str], None],
) -> Begun:
    """Locks the run folder, restores its newest state and opens its journal.

    `stack` closes what is opened. All workers call this at once.

    Raises:
      UserError: where the folder is another run's or is in use, its data has changed,
        or workers disagree.
    """
    lock, aside = _open(run, settings, crew, stack, say)
    stack.enter_context(noticing_lost_workers(crew, run.path))
    newest = newest_state(run.checkpoints, say)
    per_epoch = steps_per_epoch(source, settings.batch_size)
    now = DataRecord.of(
        source,
        settings.all_epochs,
        per_epoch,
        model.augmenter,
        noted_every=settings.noted_every,
    )
    record = data_record(run, now, newest or 0, accept_changed_data, say)
    calendar = record.calendar
    checkpoints, step, seconds = _restore(run, settings, model, calendar, newest, aside)
    crew.require_same(_facts(step, settings, record, often))
    journal = _journal(run, record, step, stack, say) if crew.is_chief else None
    return Begun(calendar, checkpoints, step, seconds, lock, journal)


def _open(
    run: RunFolder,
    settings: TrainingSettings,
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
    run.start(settings)
    return lock, None


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


def _restore(
    run: RunFolder,
    settings: TrainingSettings,
    model: Learner,
    calendar: Calendar,
    newest: int | None,
    aside: str | None,
) -> tuple[Checkpoints, int, float]:
    """The run's checkpoints, and the steps and seconds of the state restored."""
    if calendar.offset:
        with model.distribute_strategy.scope():
            model.compile(
                build_optimizer(settings, calendar.steps_per_epoch, calendar.offset)
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
    settings: TrainingSettings,
    record: DataRecord,
    often: HowOften,
) -> dict[str, object]:
    """What all workers of a run must agree on: they log and save together."""
    values = dataclasses.asdict(settings)
    # Hosts may keep the same images in different places.
    for name in ("dataset", "test_dataset", "eval_dataset"):
        values.pop(name, None)
    return {
        "steps done": step,
        "settings": values,
        "log_every and checkpoint_steps": [often.log_every, often.checkpoint_steps],
        "data": record.to_dict(),
        "versions": versions(),
    }
