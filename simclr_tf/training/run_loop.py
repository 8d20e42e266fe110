"""The steps of a run that are left, whatever it trains, and what is kept of them."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from simclr_tf.data import Source, data_errors
from simclr_tf.distribution.crew import Crew
from simclr_tf.image_size import ImageSize, image_size_text
from simclr_tf.progress import Progress, waiting
from simclr_tf.training.begin import Begun
from simclr_tf.training.finite_check import FiniteCheck
from simclr_tf.training.hooks import Evaluate, Hook, Log, Save, Show, Tell
from simclr_tf.training.hooks.evaluate import Measure
from simclr_tf.training.how_often import HowOften
from simclr_tf.training.interval import Interval
from simclr_tf.training.loop import Loop, Phase, Train
from simclr_tf.training.run_folder import RunFolder
from simclr_tf.training.stop_signal import StopSignal
from simclr_tf.training.stopped import stopped
from simclr_tf.training.train_function import make_train_function


@dataclasses.dataclass(frozen=True)
class Part:
    """Epochs of a run whose batches are of one kind.

    Attributes:
      end: the first epoch after them.
      view_size: of their images.
      batches: from the step on at which they begin.
    """

    end: int
    view_size: ImageSize
    batches: Iterator[Any]


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What is measured of a model as it trains.

    Attributes:
      measure: gives values by name, and warnings, a line each.
      every: epochs or steps from one to the next, see `Interval`.
      at_end: the same after the last step, where that is another one.
      shown: short names of values that a person is told, and their names.
    """

    measure: Measure
    every: int | str
    shown: Mapping[str, str]
    at_end: Measure | None = None


@dataclasses.dataclass
class RunLoop:
    """Takes the steps of a run that are left, notes them down and saves states.

    Attributes:
      run: the run folder.
      model: that learns: a compiled Keras model with a `learn` that takes a step on a
        replica's share of a batch, see `Learner.learn`.
      begun: the run's folder, as it was opened, and the steps done before.
      crew: the workers.
      often: how often figures are noted down and states saved.
      part: from a step to the epochs that begin there.
      measurement: of the model.
      shown: short names of the model's own figures that a person is told, and their
        names.
      pixels: from a number of images, the first of the run, to the pixels of a view of
        each, added up: what they cost.
      sources: images, which errors while reading are those of.
      batch_size: images a step.
      steps_per_execution: steps between two returns to Python.
      say: called with each line for a person.
      seconds_before: spent by this process on the run before its first step.
    """

    run: RunFolder
    model: tf.keras.Model
    begun: Begun
    crew: Crew
    often: HowOften
    part: Callable[[int], Part]
    measurement: Measurement
    shown: Mapping[str, str]
    pixels: Callable[[int], float]
    sources: Sequence[Source | None]
    batch_size: int
    steps_per_execution: int
    say: Callable[[str], None]
    seconds_before: float = 0.0

    def __post_init__(self) -> None:
        self._began = time.monotonic()
        self._progress = Progress(
            self.begun.calendar.total * self.batch_size,
            start=self.begun.step * self.batch_size,
            cost=self.pixels,
        )

    @property
    def seconds(self) -> float:
        """Spent on the run by this process and those before it."""
        here = self.seconds_before + time.monotonic() - self._began
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
            steps_per_execution=self.steps_per_execution,
        )
        try:
            with StopSignal() as stop, data_errors(*self.sources):
                finished = loop.run(stop)
        finally:
            self._progress.clear()
        if not finished:
            raise stopped(loop.step, loop.total, self.crew, self.run.path)

    def _phase(self, step: int) -> Phase:
        part = self.part(step)
        strategy = self.model.distribute_strategy
        train = make_train_function(self.model.learn, strategy)
        train = self._first_apart(train, step, part.view_size)
        return Phase(self.begun.calendar.begin_of(part.end), part.batches, train)

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
            images, end = self.batch_size, step + steps
            seconds = time.monotonic() - began
            self._progress.leave_out(step * images, end * images, seconds)
            return values

        return take

    def _waiting(self, what: str) -> contextlib.AbstractContextManager[None]:
        return waiting(what) if self.crew.is_chief else contextlib.nullcontext()

    def _hooks(self) -> list[Hook]:
        model, calendar, images = self.model, self.begun.calendar, self.batch_size
        progress, shown, chief = self._progress, self._shown, self.crew.is_chief
        check = FiniteCheck(model, calendar, self._kept)
        measurement = self.measurement
        interval = Interval.parse("eval_every", measurement.every)
        return [
            Show(model, progress, images, check, shown, visible=chief),
            Evaluate(
                measurement.measure,
                interval,
                calendar,
                check,
                at_end=measurement.at_end,
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
        names = {**self.shown, **self.measurement.shown}
        return {short: values[name] for short, name in names.items() if name in values}
