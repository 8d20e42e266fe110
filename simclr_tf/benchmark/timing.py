"""Timing in turns: on a noisy machine only what ran side by side compares."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence

import tensorflow as tf

# Batches until a pipeline is compiled and at its pace.
_UNMEASURED = 3


@dataclasses.dataclass(frozen=True)
class Contender:
    """One way to do a job.

    Attributes:
      who: whose way it is.
      begin: makes ready for one run, which is not measured, and returns what does the
        job once.
      images: images that one job takes.
    """

    who: str
    begin: Callable[[], Callable[[], object]]
    images: int


@dataclasses.dataclass(frozen=True)
class Measured:
    """What was measured of one way to do a job.

    Attributes:
      job: which job, the same for all that compare.
      who: whose way it is.
      seconds: median of a run.
      images_per_second: at that, or None where images are not what counts.
      peak_gib: the host's memory that it took beyond what it was given, or None.
      size: of the job, where it grows: views, or pixels a side.
    """

    job: str
    who: str
    seconds: float
    images_per_second: float | None = None
    peak_gib: float | None = None
    size: int | None = None


def measure(
    job: str, contenders: Sequence[Contender], repeats: int, *, size: int | None = None
) -> list[Measured]:
    """Runs each contender once unmeasured, then all in turns; medians."""
    for contender in contenders:
        contender.begin()()
    seconds: dict[str, list[float]] = {c.who: [] for c in contenders}
    for _ in range(repeats):
        for contender in contenders:
            seconds[contender.who].append(seconds_of(contender.begin()))
    made = []
    for contender in contenders:
        median = statistics.median(seconds[contender.who])
        rate = contender.images / median
        made.append(Measured(job, contender.who, median, rate, size=size))
    return made


def seconds_of(run: Callable[[], object]) -> float:
    """Seconds of a run, until the devices have done what it asks of them."""
    tf.test.experimental.sync_devices()
    began = time.perf_counter()
    run()
    tf.test.experimental.sync_devices()
    return time.perf_counter() - began


def drain(data: tf.data.Dataset, batches: int) -> Callable[[], Callable[[], None]]:
    """For `Contender.begin`: begins a dataset, then takes so many of its batches.

    A pipeline lives for one run: else it would make batches ahead, and take time from
    others, while those have their turn.
    """

    def begin() -> Callable[[], None]:
        batch = iter(data)
        for _ in range(_UNMEASURED):
            next(batch)

        def run() -> None:
            for _ in range(batches):
                next(batch)

        return run

    return begin
