"""Measurements of the encoder as it trains."""

from __future__ import annotations

from collections.abc import Callable

from simclr_tf.training.calendar import Calendar
from simclr_tf.training.finite_check import FiniteCheck
from simclr_tf.training.hooks.hook import Hook, Moment
from simclr_tf.training.interval import Interval

Measure = Callable[[], "tuple[dict[str, float], list[str]]"]


class Evaluate(Hook):
    """Measures every so many steps or epochs, and at the end; stands before `Log`.

    Args:
      measure: gives values by name, and warnings, a line each.
      interval: from one measurement to the next.
      calendar: which steps make which epoch.
      check: refuses figures that are not finite.
      at_end: measures after the last step, where that is another measurement.
    """

    def __init__(
        self,
        measure: Measure,
        interval: Interval,
        calendar: Calendar,
        check: FiniteCheck,
        at_end: Measure | None = None,
    ) -> None:
        self._measure = measure
        self._at_end = at_end or measure
        self._interval = interval
        self._calendar = calendar
        self._check = check

    def next_step(self, step: int) -> int:
        return self._interval.next_step(step, self._calendar)

    def after(self, moment: Moment, asked: bool) -> None:
        if not self.is_due(moment.step):
            return
        self._check.require(moment.step)
        last = moment.step == moment.total
        values, warnings = (self._at_end if last else self._measure)()
        self._check.values(values, moment.step)
        moment.row.update(values)
        moment.evaluated = True
        moment.warnings += warnings
