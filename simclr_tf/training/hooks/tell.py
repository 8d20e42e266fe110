"""A line for a person at each epoch's end and each measurement."""

from __future__ import annotations

from collections.abc import Callable

from simclr_tf.progress import Progress
from simclr_tf.training.calendar import Calendar
from simclr_tf.training.hooks.hook import Hook, Moment
from simclr_tf.training.hooks.show import Shown


class Tell(Hook):
    """Says how an epoch went, and what was measured within one; stands after `Log`.

    Args:
      calendar: which steps make which epoch.
      progress: knows the time that is left, and makes room for the line.
      batch_size: images a step.
      shown: chooses values and names them.
      say: called with each line.
    """

    def __init__(
        self,
        calendar: Calendar,
        progress: Progress,
        batch_size: int,
        shown: Shown,
        say: Callable[[str], None],
    ) -> None:
        self._calendar = calendar
        self._progress = progress
        self._batch_size = batch_size
        self._shown = shown
        self._say = say

    def after(self, moment: Moment, asked: bool) -> None:
        step, row = moment.step, moment.row
        if self._calendar.is_end(step):
            head = f"epoch {row['epoch']}/{self._calendar.epochs}"
        elif moment.evaluated and row:
            head = f"step {step:,}/{moment.total:,}"
        else:
            return
        figures = "  ".join(f"{k} {v:.3f}" for k, v in self._shown(row).items())
        self._progress.clear()
        left = self._progress.left(step * self._batch_size)
        speed = row["images_per_second"]
        self._say(f"{head}  {figures}  {speed:,.0f} images/s  {left} left")
        for line in moment.warnings:
            self._say(line)
