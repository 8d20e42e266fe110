"""The steps of a run, epoch by epoch: taken, measured, noted down and saved."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping

import tensorflow as tf

from simclr_tf.data import Source, pretrain_batches
from simclr_tf.distribution.crew import Crew
from simclr_tf.errors import UserError
from simclr_tf.evaluators import Monitor
from simclr_tf.model import Learner
from simclr_tf.progress import Progress
from simclr_tf.training.build import build_augmenter
from simclr_tf.training.checkpoints import Checkpoints
from simclr_tf.training.data_record import Calendar
from simclr_tf.training.journal import Journal
from simclr_tf.training.recipe import ResolvedRecipe
from simclr_tf.training.run_folder import RunFolder
from simclr_tf.training.run_lock import RunLock
from simclr_tf.training.stop_signal import StopSignal

Batches = Iterator[dict[str, tf.Tensor]]


class Stopped(Exception):
    """A signal ended the run; the same command resumes it."""


class Diverged(UserError):
    """The loss, the weights or the features are no longer numbers."""


@dataclasses.dataclass
class Training:
    """The steps of a run that are left, and where they are noted down and saved."""

    recipe: ResolvedRecipe
    run: RunFolder
    source: Source
    monitor: Monitor
    model: Learner
    calendar: Calendar
    crew: Crew
    checkpoints: Checkpoints
    checkpoint_seconds: float
    journal: Journal | None
    lock: RunLock | None
    data_service: str | None
    say: Callable[[str], None]
    step: int
    seconds_before: float

    def __post_init__(self) -> None:
        self._began = self._saved = time.monotonic()
        self._stopping = False
        self._progress = Progress(
            self.calendar.total * self.recipe.batch_size,
            start=self.step * self.recipe.batch_size,
            cost=self._pixels,
        )

    @property
    def seconds(self) -> float:
        """Spent on the run by this process and those before it."""
        return self.seconds_before + time.monotonic() - self._began

    def run_to_end(self) -> None:
        """Takes the steps that are left, epoch by epoch."""
        view_size = None
        with StopSignal() as stop:
            while self.step < self.calendar.total:
                epoch = self.calendar.epoch_of(self.step)
                if self.recipe.view_size(epoch) != view_size:
                    view_size = self.recipe.view_size(epoch)
                    self.model.augmenter = build_augmenter(self.recipe, view_size)
                    take = make_train_function(self.model)
                    batches = self._batches()
                first, began = self.step, time.monotonic()
                self._take_steps(epoch, take, batches, stop)
                images = (self.step - first) * self.recipe.batch_size
                self._end_epoch(epoch, images / (time.monotonic() - began))
                if self._stopping and self.step < self.calendar.total:
                    raise self._stopped()

    def _take_steps(
        self,
        epoch: int,
        take: Callable[[Batches, int], None],
        batches: Batches,
        stop: StopSignal,
    ) -> None:
        """The steps of an epoch that are left; Stopped where one is asked to stop."""
        end = self.calendar.begin_of(epoch + 1)
        while self.step < end:
            steps = min(self.recipe.steps_per_execution, end - self.step)
            take(batches, steps)
            self.step += steps
            save = self._look(epoch, stop)
            if self.step < end and (save or self._stopping):
                self._progress.clear()
                self._save(epoch)
                if self._stopping:
                    raise self._stopped()

    def _look(self, epoch: int, stop: StopSignal) -> bool:
        """Reads what there is to know after a step; whether to save it.

        Reading metrics is an exchange among workers: they do it when they meet.
        """
        look = self._progress.due()
        if not self.crew.meets(self.step):
            return False
        save = self.crew.is_chief and (
            time.monotonic() - self._saved >= self.checkpoint_seconds
        )
        self._stopping, save, look = self.crew.agree(
            self.step, [stop.requested, save, look]
        )
        if look:
            values = _results(self.model)
            self._require_finite(values, epoch)
            if self.crew.is_chief:
                self._progress.show(
                    self.step * self.recipe.batch_size, self._shown(values)
                )
        return save

    def _end_epoch(self, epoch: int, images_per_second: float) -> None:
        """Measures, notes down and saves."""
        row = {"step": self.step, "epoch": epoch + 1, **_results(self.model)}
        row["images_per_second"] = images_per_second
        self._progress.clear()
        self._require_finite(row, epoch)
        self._require_finite_weights(epoch)
        done = epoch + 1
        warnings: list[str] = []
        if done % self.recipe.eval_every == 0 or done == self.recipe.epochs:
            values, warnings = self.monitor.run(self.model)
            self._require_finite(values, epoch)
            row.update(values)
        left = self._progress.left(self.step * self.recipe.batch_size)
        self.say(
            f"epoch {epoch + 1}/{self.recipe.epochs}  {_text(self._shown(row))}  "
            f"{images_per_second:,.0f} images/s  {left} left"
        )
        for line in warnings:
            self.say(line)
        if self.journal is not None:
            self._require_lock()
            self.journal.write(row)
        self.model.reset_metrics()
        self._save(epoch)

    def _save(self, epoch: int) -> None:
        self._require_finite(_results(self.model), epoch)
        self._require_finite_weights(epoch)
        self._require_lock()
        self.checkpoints.save(self.step, self.seconds)
        self._saved = time.monotonic()

    def _require_lock(self) -> None:
        if self.lock is not None:
            self.lock.require_held()

    def _require_finite(self, values: Mapping[str, float], epoch: int) -> None:
        for name, value in values.items():
            if not math.isfinite(value):
                raise self._diverged(f"{name} became {value}", epoch)

    def _require_finite_weights(self, epoch: int) -> None:
        for variable in self.model.variables:
            if not variable.dtype.is_floating:
                continue
            finite = tf.math.is_finite(tf.convert_to_tensor(variable))
            if not tf.reduce_all(finite):
                raise self._diverged(f"{variable.name} became infinite or nan", epoch)

    def _diverged(self, what: str, epoch: int) -> Diverged:
        newest = self.checkpoints.newest
        kept = "No state was saved before that."
        if newest is not None:
            kept = f"The last good state, after step {newest:,}, is in {self.run.path}."
        return Diverged(
            f"{what} in epoch {epoch + 1}: lower --learning_rate, raise "
            f"--warmup_epochs, or use --precision=float32. {kept}"
        )

    def _stopped(self) -> Stopped:
        stopped = f"Stopped after step {self.step:,} of {self.calendar.total:,}"
        if not self.crew.is_chief:
            return Stopped(f"{stopped}; the chief of the workers saves the state.")
        return Stopped(
            f"{stopped}; the state is saved in {self.run.path}. The same command "
            "resumes it."
        )

    def _shown(self, values: Mapping[str, float]) -> dict[str, float]:
        """The few numbers that tell a person how it goes, under short names."""
        names = {
            **self.model.method.shown,
            "probe": "probe_accuracy",
            **self.monitor.shown,
        }
        return {short: values[name] for short, name in names.items() if name in values}

    def _pixels(self, images: int) -> float:
        """Pixels of a view of each of the first `images` of the run, added up."""
        recipe = self.recipe
        early = self.calendar.begin_of(recipe.early_epochs) * recipe.batch_size
        early = min(images, max(early, 0))
        late = images - early
        return early * recipe.early_view_size**2 + late * recipe.image_size**2

    def _batches(self) -> Batches:
        """The batches of the next step and those after it, each replica's share."""
        strategy = self.model.distribute_strategy
        on_host = self.recipe.augment_on == "host"

        def pipeline(context: tf.distribute.InputContext) -> tf.data.Dataset:
            return pretrain_batches(
                self.source,
                self.model.augmenter if on_host else None,
                batch_size=self.recipe.batch_size,
                seed=self.recipe.seed,
                method=self.model.method,
                start_step=self.calendar.data_step(self.step),
                context=context,
                data_service=self.data_service,
            )

        return iter(strategy.distribute_datasets_from_function(pipeline))


def make_train_function(model: Learner) -> Callable[[Batches, int], None]:
    """A function that takes some steps on all replicas, given batches and how many.

    It returns nothing, so that Python never waits for a device; the results are in the
    model's metrics.
    """
    strategy = model.distribute_strategy

    @tf.function
    def train(batches: Batches, steps: tf.Tensor) -> None:
        for _ in tf.range(steps):
            strategy.run(model.learn, args=(next(batches),))

    return lambda batches, steps: train(batches, tf.constant(steps))


def _results(model: Learner) -> dict[str, float]:
    return {metric.name: float(metric.result()) for metric in model.metrics}


def _text(values: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {value:.3f}" for name, value in values.items())
