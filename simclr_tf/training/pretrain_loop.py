"""The loop of a pretraining: its phases, and the hooks that a recipe asks for."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import tensorflow as tf

from simclr_tf.data import PretrainingData, data_errors
from simclr_tf.distribution.crew import Crew
from simclr_tf.evaluators import Monitor
from simclr_tf.image_size import ImageSize, height_and_width, image_size_text
from simclr_tf.model import Learner
from simclr_tf.progress import Progress, waiting
from simclr_tf.training.begin import Begun
from simclr_tf.training.build import build_augmenter
from simclr_tf.training.feed import replica_batches
from simclr_tf.training.finite_check import FiniteCheck
from simclr_tf.training.hooks import Evaluate, Hook, Log, Save, Show, Tell
from simclr_tf.training.how_often import HowOften
from simclr_tf.training.interval import Interval
from simclr_tf.training.judge import Judge
from simclr_tf.training.loop import Loop, Phase, Train
from simclr_tf.training.recipe import ResolvedRecipe
from simclr_tf.training.run_folder import RunFolder
from simclr_tf.training.stop_signal import StopSignal
from simclr_tf.training.stopped import stopped
from simclr_tf.training.train_function import make_train_function


@dataclasses.dataclass
class PretrainLoop:
    """The steps of a run that are left, and where they are noted down and saved.

    Attributes:
      often: how often figures are noted down and states saved.
      begun: the run's folder, as it was opened, and the steps done before.
      seconds_measuring: spent by this process on choosing the settings.
    """

    recipe: ResolvedRecipe
    run: RunFolder
    data: PretrainingData
    monitor: Monitor
    judge: Judge
    model: Learner
    begun: Begun
    crew: Crew
    often: HowOften
    data_service: str | None
    seconds_measuring: float
    say: Callable[[str], None]

    def __post_init__(self) -> None:
        self._began = time.monotonic()
        self._progress = Progress(
            self.begun.calendar.total * self.recipe.batch_size,
            start=self.begun.step * self.recipe.batch_size,
            cost=self._pixels,
        )

    @property
    def seconds(self) -> float:
        """Spent on the run by this process and those before it."""
        here = self.seconds_measuring + time.monotonic() - self._began
        return self.begun.seconds + here

    def run_to_end(self) -> None:
        """Takes the steps that are left.

        Raises:
          Stopped: where a signal to any worker ended the run before.
        """
        loop = Loop(
            self._phase,
            self.begun.calendar.total,
            hooks=self._hooks(),
            crew=self.crew,
            step=self.begun.step,
            steps_per_execution=self.recipe.steps_per_execution,
        )
        data = self.data
        try:
            with StopSignal() as stop, data_errors(data.train, data.bank, data.queries):
                finished = loop.run(stop)
        finally:
            self._progress.clear()
        if not finished:
            raise stopped(loop.step, loop.total, self.crew, self.run.path)

    def _phase(self, step: int) -> Phase:
        """The epochs from a step on whose views have one size."""
        epoch, recipe = self.begun.calendar.epoch_of(step), self.recipe
        size = recipe.view_size(epoch)
        end = epoch + 1
        while end < recipe.all_epochs and recipe.view_size(end) == size:
            end += 1
        self.model.augmenter = build_augmenter(recipe, size)
        strategy = self.model.distribute_strategy
        train = make_train_function(self.model.learn, strategy)
        train = self._first_apart(train, step, size)
        return Phase(self.begun.calendar.begin_of(end), self._batches(step), train)

    def _first_apart(self, train: Train, step: int, size: ImageSize) -> Train:
        """Takes steps; the time of the first, which are compiled, tells no pace.

        Args:
          train: takes steps.
          step: the steps done before the first.
          size: of the views.
        """
        first = True

        def take(batches: Iterator[Any], steps: int) -> dict[str, tf.Tensor]:
            nonlocal first
            if not first:
                return train(batches, steps)
            first = False
            began = time.monotonic()
            self._progress.clear()
            with self._waiting(f"compiling for views of {image_size_text(size)} px"):
                values = train(batches, steps)
                float(values["loss"])  # Waits for the device.
            images, end = self.recipe.batch_size, step + steps
            seconds = time.monotonic() - began
            self._progress.leave_out(step * images, end * images, seconds)
            return values

        return take

    def _waiting(self, what: str) -> contextlib.AbstractContextManager[None]:
        return waiting(what) if self.crew.is_chief else contextlib.nullcontext()

    def _batches(self, step: int) -> Iterator[Any]:
        """The batches of the next step and those after it, each replica's share."""
        return replica_batches(
            self.recipe,
            self.data.train,
            self.model,
            start_step=self.begun.calendar.data_step(step),
            data_service=self.data_service,
        )

    def _hooks(self) -> list[Hook]:
        model, calendar = self.model, self.begun.calendar
        images = self.recipe.batch_size
        progress, shown, chief = self._progress, self._shown, self.crew.is_chief
        check = FiniteCheck(model, calendar, self._kept)
        interval = Interval.parse("eval_every", self.recipe.eval_every)
        return [
            Show(model, progress, images, check, shown, visible=chief),
            Evaluate(
                lambda: self.monitor.run(model),
                interval,
                calendar,
                check,
                at_end=self.judge.measure_end,
            ),
            Log(model, calendar, images, self.often.log_every, check, self._write),
            Tell(calendar, progress, images, shown, self.say),
            Save(
                self._save,
                check,
                calendar,
                every=self.often.checkpoint_steps,
                seconds=60 * self.often.checkpoint_minutes,
                keeps_time=chief,
            ),
        ]

    def _write(self, row: dict[str, float]) -> None:
        if self.begun.journal is not None:
            self._require_lock()
            self.begun.journal.write(row)

    def _save(self, step: int) -> None:
        self._require_lock()
        self.begun.checkpoints.save(step, self.seconds)

    def _require_lock(self) -> None:
        if self.begun.lock is not None:
            self.begun.lock.require_held()

    def _kept(self) -> str:
        newest = self.begun.checkpoints.newest
        if newest is None:
            return "No state was saved before that."
        return f"The last good state, after step {newest:,}, is in {self.run.path}."

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
        early = self.begun.calendar.begin_of(recipe.early_epochs) * recipe.batch_size
        early = min(images, max(early, 0))
        late = images - early
        sizes = recipe.view_size(0), recipe.image_size
        pixels = [math.prod(height_and_width(size)) for size in sizes]
        return early * pixels[0] + late * pixels[1]
