"""Figures of steps and epochs, noted down."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from simclr_tf.model.optimizer_step import global_norm
from simclr_tf.training.calendar import Calendar
from simclr_tf.training.finite_check import FiniteCheck, known, running_means
from simclr_tf.training.hooks.hook import Hook, Moment


class Log(Hook):
    """Writes a row of figures every so many steps, and at each epoch's end.

    A row has the step, the epoch (a whole number at an epoch's end and a fraction
    elsewhere), the values of that step, its learning rate, the norm of its gradient
    and that of all trainable weights after it, the loss scale where there is one, the
    images a second since the row before, and what other hooks have measured at that
    step. At an epoch's end the model's running means, and the images a second of the
    epoch, take the place of a step's. Figures of labels are left out where none of the
    images had one.

    Args:
      model: a compiled Keras model.
      calendar: which steps make which epoch.
      batch_size: images a step.
      every: steps from one row to the next; 0 for none within an epoch.
      check: refuses figures that are not finite.
      write: called with each row.
    """

    def __init__(
        self,
        model: tf.keras.Model,
        calendar: Calendar,
        batch_size: int,
        every: int,
        check: FiniteCheck,
        write: Callable[[dict[str, float]], None],
    ) -> None:
        self._model = model
        self._calendar = calendar
        self._batch_size = batch_size
        self._every = every
        self._check = check
        self._write = write
        # Steps done, and the time, when the row and when the epoch began.
        self._row_began: tuple[int, float] | None = None
        self._epoch_began: tuple[int, float] | None = None

    def next_step(self, step: int) -> int:
        end = self._calendar.next_end(step)
        if not self._every:
            return end
        return min(end, step + self._every - step % self._every)

    def before(self, step: int) -> None:
        now = step, time.monotonic()
        self._row_began = self._row_began or now
        self._epoch_began = self._epoch_began or now

    def after(self, moment: Moment, asked: bool) -> None:
        if not (moment.row or self.is_due(moment.step)):
            return
        step, measured = moment.step, moment.row
        values = known(self._model, moment.read())
        ends_epoch = self._calendar.is_end(step)
        if ends_epoch:
            self._check.require(step)
            values.update(running_means(self._model))
        values.update(_optimizer_values(self._model.optimizer))
        # Not finite where a loss scale was too large, and the step was left out.
        if not math.isfinite(values.get("gradient_norm", 0.0)):
            del values["gradient_norm"]
        values["weight_norm"] = float(global_norm(self._model.trainable_variables))
        self._check.values(values, step)
        values["images_per_second"] = self._speed(
            step, self._epoch_began if ends_epoch else self._row_began
        )
        moment.row = {"step": step, "epoch": self._calendar.epoch_at(step)}
        moment.row.update({**values, **measured})
        self._write(moment.row)
        self._row_began = None
        if ends_epoch:
            self._model.reset_metrics()
            self._epoch_began = None

    def _speed(self, step: int, began: tuple[int, float] | None) -> float:
        assert began is not None  # `before` ran.
        return (step - began[0]) * self._batch_size / (time.monotonic() - began[1])


def _optimizer_values(optimizer: Any) -> dict[str, float]:
    """Learning rate of the step last taken, and the loss scale of the next one."""
    rate = optimizer.learning_rate
    if callable(rate):  # The schedule of a legacy optimizer.
        rate = rate(optimizer.iterations - 1)
    values = {"learning_rate": rate}
    if hasattr(optimizer, "loss_scale"):
        values["loss_scale"] = optimizer.loss_scale
    return {name: float(tf.convert_to_tensor(value)) for name, value in values.items()}
