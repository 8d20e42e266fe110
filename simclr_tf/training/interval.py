"""Every so many epochs, or every so many steps."""

from __future__ import annotations

import re
from typing import NamedTuple

from simclr_tf.errors import UserError
from simclr_tf.training.calendar import Calendar


class Interval(NamedTuple):
    """From one time that something is done to the next, counted from the first step.

    Attributes:
      number: of epochs or steps, 1 or more.
      of_steps: whether steps are counted.
    """

    number: int
    of_steps: bool

    @classmethod
    def parse(cls, name: str, value: int | str) -> Interval:
        """An interval as it is said: 5, "5" or "500steps".

        Args:
          name: of the setting, for the error.
          value: epochs, or a text.

        Raises:
          UserError: where the text is none of these, or the number is below 1.
        """
        found = re.fullmatch(r"([-+]?\d+) ?(steps?|epochs?)?", str(value).strip())
        if found is None:
            raise UserError(
                f"{name} must be a number of epochs, such as 5, or of steps, such as "
                f"500steps, got {value!r}."
            )
        number = int(found[1])
        if number < 1:
            raise UserError(f"{name} must be 1 or more, got {value!r}.")
        return cls(number, (found[2] or "").startswith("step"))

    @property
    def setting(self) -> int | str:
        """What `parse` reads: a number of epochs, or "500steps"."""
        return f"{self.number}steps" if self.of_steps else self.number

    def next_step(self, step: int, calendar: Calendar) -> int:
        """The first step after `step` that it names; it names the last of all."""
        if self.of_steps:
            return min(step + self.number - step % self.number, calendar.total)
        done = calendar.epoch_of(step) + 1
        return calendar.begin_of(min(done + -done % self.number, calendar.epochs))
