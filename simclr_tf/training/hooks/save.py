"""States of a training, saved."""

from __future__ import annotations

import time
from collections.abc import Callable

from simclr_tf.training.calendar import Calendar
from simclr_tf.training.finite_check import FiniteCheck
from simclr_tf.training.hooks.hook import Hook, Moment


class Save(Hook):
    """Saves every so many steps or minutes, at each epoch's end and at a stop.

    It stands after the hooks that change the state, such as `Log`.

    Args:
      save: called with the steps done; workers save together.
      check: refuses weights and means that are not finite.
      calendar: which steps make which epoch.
      every: steps from one state to the next; 0 for no number of steps.
      seconds: from one state to the next.
      keeps_time: whether this worker says when these seconds are over.
    """

    def __init__(
        self,
        save: Callable[[int], None],
        check: FiniteCheck,
        calendar: Calendar,
        *,
        every: int = 0,
        seconds: float = 300.0,
        keeps_time: bool = True,
    ) -> None:
        self._save = save
        self._check = check
        self._calendar = calendar
        self._every = every
        self._seconds = seconds
        self._keeps_time = keeps_time
        self._saved = time.monotonic()

    def next_step(self, step: int) -> int:
        end = self._calendar.next_end(step)
        if not self._every:
            return end
        return min(end, step + self._every - step % self._every)

    def asks(self) -> bool:
        return self._keeps_time and time.monotonic() - self._saved >= self._seconds

    def after(self, moment: Moment, asked: bool) -> None:
        if not (asked or moment.stopping or self.is_due(moment.step)):
            return
        self._check.require(moment.step)
        self._save(moment.step)
        self._saved = time.monotonic()
