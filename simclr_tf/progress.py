"""How fast a run goes and when it will be done.

tqdm would count either images or pixels: here a rate in images/s stands beside a time
left that follows the pixels, since early views are small and cost less. And the line of
each epoch says the time left in a log file too, where a tqdm bar that is silent off a
terminal keeps no time.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TextIO


class Progress:
    """A line that keeps itself up to date on a terminal; silent elsewhere.

    Args:
      total: units of the whole work, or None where they are not known.
      start: units already done, by an earlier process.
      cost: of a number of units from the first, in any measure of work; where not
        all cost the same, the time left follows it.
      unit: what is counted, in the plural, such as "images".
      stream: where the line goes.
      every: seconds between two updates.
    """

    def __init__(
        self,
        total: int | None,
        *,
        start: int = 0,
        cost: Callable[[int], float] = float,
        unit: str = "images",
        stream: TextIO | None = None,
        every: float = 1.0,
    ) -> None:
        self.total = total
        self.start = start
        self.cost = cost
        self.unit = unit
        self.stream = stream or sys.stderr
        self.every = every
        self.began = self.shown = time.monotonic()
        self._width = 0
        # Units, work and seconds that tell nothing of the pace, see `leave_out`.
        self._aside = 0, 0.0, 0.0

    def leave_out(self, before: int, after: int, seconds: float) -> None:
        """Leaves some units out of pace and time left: the compiler took the time.

        Args:
          before: units done before them.
          after: units done after them.
          seconds: that they took.
        """
        units, work, spent = self._aside
        work += self.cost(after) - self.cost(before)
        self._aside = units + after - before, work, spent + seconds

    def due(self) -> bool:
        """Whether the line is old enough to be written anew."""
        return time.monotonic() - self.shown >= self.every

    def rate(self, done: int) -> float:
        """Units a second in this process; 0 before the first."""
        units, _, aside = self._aside
        seconds = time.monotonic() - self.began - aside
        return (done - self.start - units) / seconds if seconds > 0 else 0.0

    def left(self, done: int) -> str:
        """Time left, in words; "?" where nothing tells."""
        if done == self.total:
            return duration(0.0)
        _, work, aside = self._aside
        worked = self.cost(done) - self.cost(self.start) - work
        if self.total is None or worked <= 0:
            return "?"
        left = self.cost(self.total) - self.cost(done)
        return duration(left / worked * (time.monotonic() - self.began - aside))

    def show(self, done: int, values: Mapping[str, float] | None = None) -> None:
        """Writes the line, on a terminal."""
        self.shown = time.monotonic()
        if not self.stream.isatty():
            return
        numbers = "".join(
            f"  {name} {value:.4g}" for name, value in (values or {}).items()
        )
        total = "?" if self.total is None else f"{self.total:,}"
        line = (
            f"{done:,}/{total} {self.unit}{numbers}  "
            f"{self.rate(done):,.0f} {self.unit}/s  {self.left(done)} left"
        )
        self.stream.write("\r" + line.ljust(self._width))
        self.stream.flush()
        self._width = len(line)

    def clear(self) -> None:
        """Takes the line away, so that other output can follow."""
        if self._width:
            self.stream.write("\r" + " " * self._width + "\r")
            self.stream.flush()
            self._width = 0


@contextlib.contextmanager
def waiting(
    what: str, *, stream: TextIO | None = None, every: float = 1.0
) -> Iterator[None]:
    """While entered, a line on a terminal counts the seconds of work that has no steps.

    Args:
      what: is done, such as "compiling".
      stream: where the line goes.
      every: seconds between two updates.
    """
    stream = stream or sys.stderr
    if not stream.isatty():
        yield
        return
    done, began = threading.Event(), time.monotonic()

    def show() -> None:
        line = ""
        while not done.wait(every):
            line = f"{what}: {duration(time.monotonic() - began)}".ljust(len(line))
            stream.write("\r" + line)
            stream.flush()
        stream.write("\r" + " " * len(line) + "\r")
        stream.flush()

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def duration(seconds: float) -> str:
    """Seconds in the largest units that tell: "40 s", "12 min", "3 h 05 min"."""
    seconds = max(seconds, 0.0)
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"
