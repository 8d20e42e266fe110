"""What a run of some minutes learns best with, from measured speeds.

A run has a ladder of encoders and view sizes, from cheap to dear. It takes the dearest
with which it sees its images often enough, `enough_images`, and then as many epochs as
the time holds. What that rests on today: experiments/cifar10 (10,000 images of 32 px,
seen 64 times by a ResNet-18 of a quarter of its width, learned most in 11 minutes),
experiments/caltech101 (927 photographs at 96 px, 1,400 steps, half the width) and
experiments/quickstart. No run compared the rungs of one ladder after equal time;
experiments/recipes is the script that will.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from simclr_tf.training import defaults

# Each image is seen so often, as experiments/cifar10 does, before the time goes into a
# larger encoder or larger views.
_TIMES_SEEN = 60
# What experiments/cifar10 sees in all: with more, a larger encoder gains more.
_MOST_IMAGES = 640_000
# Seconds of a step grow more slowly than its multiplications: from views of 20 px to
# those of 32 px, 2.6 times the pixels, by 2.1 to 2.5 times on CPUs.
EXPONENT = 0.8
# At most this share of the time measures the encoder.
_EVALUATION_SHARE = 0.05
# The time is met where it is missed by no more than this share of it.
_CLOSE_ENOUGH = 0.01

# Encoders with their multiplications for an image, as multiples of the first one's.
_ENCODERS = {
    "resnet18x0.25": 1.0,
    "resnet18x0.5": 4.0,
    "resnet18": 16.0,
    "resnet50": 36.0,
}
_LARGE_IMAGES = (
    ("resnet18x0.25", 64),
    ("resnet18x0.5", 64),
    ("resnet18x0.5", 96),
    ("resnet18", 96),
    ("resnet18", 128),
    ("resnet18", 160),
    ("resnet18", 224),
    ("resnet50", 224),
)


class Rung(NamedTuple):
    """An encoder, and the side in pixels of the views that it sees."""

    encoder: str
    image_size: int

    @property
    def work(self) -> float:
        """Multiplications for an image, up to a factor that all rungs share."""
        small = self.image_size <= defaults.SMALL
        # Above 32 px the stem of a ResNet gives maps of a quarter of the side.
        grid = self.image_size if small else self.image_size / 4
        return _ENCODERS.get(self.encoder, 1.0) * grid**2


class Costs(NamedTuple):
    """Measured seconds of a rung.

    Attributes:
      step: a step of full views.
      early_step: a step of early views; None where it has none.
      start: before the first step of a view size, to trace and compile, and the model.
      evaluation: one measurement of the encoder.
      first_evaluation: the first, which also compiles.
      epoch: what an epoch's end takes besides.
    """

    step: float
    early_step: float | None = None
    start: float = 0.0
    evaluation: float = 0.0
    first_evaluation: float = 0.0
    epoch: float = 0.0


class Plan(NamedTuple):
    """Epochs that take the time.

    Attributes:
      epochs: of the whole run.
      early_epochs: those of them with early views, from the first.
      eval_every: epochs from one measurement of the encoder to the next.
      seconds: that all of it takes.
    """

    epochs: int
    early_epochs: int
    eval_every: int
    seconds: float


def ladder(native: int, image_size: int | None, encoder: str | None) -> list[Rung]:
    """Encoders and view sizes to choose from, from cheap to dear.

    Args:
      native: shorter side of the images in pixels, which no views exceed.
      image_size: side of the views, where the user says it.
      encoder: likewise.
    """
    size = image_size or (native if native <= 64 else None)
    if size is not None:
        rungs = [Rung(each, size) for each in _ENCODERS]
    else:
        most = native - native % 16
        rungs = [Rung(each, min(side, most)) for each, side in _LARGE_IMAGES]
    if encoder is not None:
        rungs = [rung._replace(encoder=encoder) for rung in rungs]
    rungs = list(dict.fromkeys(rungs))
    if size is not None and size <= defaults.SMALL and encoder is None:
        # Its blocks are made for the small maps that the other stem gives.
        rungs = [rung for rung in rungs if rung.encoder != "resnet50"]
    return rungs


def first_to_measure(rungs: Sequence[Rung]) -> Rung:
    """The rung of the experiments: half the width for photographs, else a quarter."""
    small = rungs[0].image_size <= defaults.SMALL
    return rungs[0] if small or len(rungs) == 1 else rungs[1]


def enough_images(images: int, batch: int) -> int:
    """Images to see, each time counted, before a dearer rung pays.

    Each is seen 60 times, but 1,400 steps are taken and no more than 640,000 are seen.
    """
    least = defaults.LEAST_STEPS * batch
    return max(min(_TIMES_SEEN * images, _MOST_IMAGES), least)


def predicted(rung: Rung, measured: Mapping[Rung, float]) -> float:
    """Seconds a step, from those of the measured rung that is most like it."""
    nearest = min(measured, key=lambda other: abs(math.log(other.work / rung.work)))
    return measured[nearest] * (rung.work / nearest.work) ** EXPONENT


def choose(
    rungs: Sequence[Rung], measured: Mapping[Rung, float], steps: float, seconds: float
) -> Rung:
    """The dearest rung that takes enough steps in the time; the cheapest if none does.

    Args:
      rungs: from cheap to dear.
      measured: seconds a step of some of them.
      steps: that are enough.
      seconds: for steps.
    """
    fits = [r for r in rungs if predicted(r, measured) * steps <= seconds]
    return fits[-1] if fits else rungs[0]


def search(
    rungs: Sequence[Rung],
    measure: Callable[[Rung], float],
    steps: float,
    seconds: Callable[[], float],
    another: Callable[[], bool],
) -> Rung:
    """Measures a rung, and the one that follows from it, until it is one measured.

    Args:
      rungs: from cheap to dear.
      measure: gives seconds a step.
      steps: that are enough.
      seconds: that are left for steps, when called.
      another: whether there is time to measure one more, when called; else the choice
        rests on what is known.
    """
    measured: dict[Rung, float] = {}
    rung = first_to_measure(rungs)
    while True:
        measured[rung] = measure(rung)
        rung = choose(rungs, measured, steps, seconds())
        if rung in measured or not another():
            return rung


def plan(
    costs: Costs,
    steps_per_epoch: int,
    early_share: float,
    seconds: float,
    eval_every: float | None = None,
    tolerance: float = 0.1,
) -> Plan:
    """The epochs that come closest to the time, early views about their share of them.

    Args:
      costs: measured.
      steps_per_epoch: number of steps.
      early_share: share of the epochs with early views that is wanted.
      seconds: from now to the end.
      eval_every: epochs from one measurement of the encoder to the next; None for as
        few as make the measurements a twentieth of the time.
      tolerance: how far the share may differ from the wanted one to meet the time.
    """
    full = costs.step * steps_per_epoch + costs.epoch
    early = full
    if costs.early_step is not None:
        early = costs.early_step * steps_per_epoch + costs.epoch
    seconds = max(seconds, 1.0)
    most = int(seconds / min(early, full)) + 2
    plans = []
    for epochs in range(1, most + 1):
        shares = (early_share, tolerance)
        for small in _early_epochs(epochs, shares, costs, early, full, seconds):
            every = eval_every or _rarely(costs, epochs, seconds)
            taken = costs.start * (2 if small else 1)
            taken += small * early + (epochs - small) * full
            # The last epoch is always measured.
            times = math.ceil(epochs / every)
            taken += costs.first_evaluation + (times - 1) * costs.evaluation
            plans.append(Plan(epochs, small, math.ceil(every), taken))

    def unlike(each: Plan) -> tuple[float, float]:
        missed = abs(each.seconds - seconds) / seconds
        share = abs(each.early_epochs / each.epochs - early_share)
        return max(missed - _CLOSE_ENOUGH, 0.0), share

    return min(plans, key=unlike)


def _early_epochs(
    epochs: int,
    shares: tuple[float, float],
    costs: Costs,
    early: float,
    full: float,
    seconds: float,
) -> set[int]:
    """Numbers of early epochs to try: the share, and what takes just the time."""
    share, tolerance = shares
    if costs.early_step is None:
        return {0}
    wanted = epochs if share == 1 else min(round(share * epochs), epochs - 1)
    if not tolerance or early >= full:
        return {wanted}
    fixed = 2 * costs.start + costs.first_evaluation + _EVALUATION_SHARE * seconds
    exact = round((fixed + epochs * full - seconds) / (full - early))
    least = math.ceil((share - tolerance) * epochs)
    most = min(math.floor((share + tolerance) * epochs), epochs - 1)
    return {wanted, *([exact] if max(least, 0) <= exact <= most else [])}


def _rarely(costs: Costs, epochs: int, seconds: float) -> int:
    """Epochs between measurements that take a twentieth of the time at most."""
    if not costs.evaluation:
        return 1
    times = int(_EVALUATION_SHARE * seconds / costs.evaluation)
    return math.ceil(epochs / min(max(times, 1), epochs))
