"""Timing in turns: on a noisy machine only runs side by side can be compared."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence

import tensorflow as tf

# Batches that a pipeline takes to compile and to reach its steady rate.
_UNMEASURED = 3


@dataclasses.dataclass(frozen=True)
class Contender:
    """One way to do a job.

    Attributes:
      who: its name in the table.
      begin: prepares one run, which is not measured, and returns the function that
        does the job once, which is measured.
      images: number of images in one job.
    """

    who: str
    begin: Callable[[], Callable[[], object]]
    images: int


@dataclasses.dataclass(frozen=True)
class Measured:
    """The measurements of one contender.

    Attributes:
      job: name of the job, the same for all contenders.
      who: name of the contender.
      seconds: median time of a run.
      images_per_second: the rate in that run, or None where the job has no images.
      peak_gib: peak of the host's memory above its level before the run, or None.
      size: size of the job in a series of jobs: number of views, or pixels a side.
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
    """Medians of `repeats` runs in turns, after one run of each that does not count."""
    for contender in contenders:
        contender.begin()()
    seconds: dict[str, list[float]] = {c.who: [] for c in contenders}
    for _ in range(repeats):
        for contender in contenders:
            seconds[contender.who].append(seconds_of(contender.begin()))
    rows = []
    for contender in contenders:
        median = statistics.median(seconds[contender.who])
        rate = contender.images / median
        rows.append(Measured(job, contender.who, median, rate, size=size))
    return rows


def seconds_of(run: Callable[[], object]) -> float:
    """Seconds of a run, until all devices have finished its work."""
    tf.test.experimental.sync_devices()
    began = time.perf_counter()
    run()
    tf.test.experimental.sync_devices()
    return time.perf_counter() - began


def drain(data: tf.data.Dataset, batches: int) -> Callable[[], Callable[[], None]]:
    """For `Contender.begin`: starts a dataset, then takes `batches` of its batches.

    A pipeline lives for one run only. Otherwise it would prepare batches in the
    background while other contenders are measured, and slow them down.
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
