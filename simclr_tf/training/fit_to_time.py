"""Settings of a run that takes the time that the user has."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from simclr_tf.distribution.crew import Crew
from simclr_tf.errors import UserError
from simclr_tf.image_size import shorter_side
from simclr_tf.progress import duration
from simclr_tf.training import time_budget
from simclr_tf.training.interval import Interval
from simclr_tf.training.recipe import Recipe, ResolvedRecipe
from simclr_tf.training.run_images import RunImages
from simclr_tf.training.time_budget import Costs, Plan, Rung
from simclr_tf.training.trial import Trial

# Share of the time for which the steps of one view size are measured, and after which
# no other is, since each takes the compiler's time too.
_MEASURING_SHARE, _MEASURED_SHARE = 0.01, 0.25
_MOST_MEASURED = 3
# Of the time that is left, what steps take; the rest compiles and measures the encoder.
_STEPS_SHARE = 0.85
# Of the time, what may be missing from a single epoch, or be too much.
_TOLERANCE = 0.1


class Budget(NamedTuple):
    """The time that a run may take.

    Attributes:
      minutes: of the whole run, measuring included.
      began: when it began, by the clock.
      clock: seconds.
    """

    minutes: float
    began: float
    clock: Callable[[], float] = time.monotonic

    @property
    def spent(self) -> float:
        """Seconds from the beginning to now."""
        return self.clock() - self.began

    @property
    def left(self) -> float:
        """Seconds from now to the end."""
        return 60 * self.minutes - self.spent


def require_one_machine(crew: Crew, data_service: str | None) -> None:
    """Raises UserError where speed cannot be measured by this process alone."""
    if crew.count > 1 or data_service is not None:
        raise UserError(
            "minutes is for a run on one machine that makes its own batches: with "
            "several hosts or a data service say epochs."
        )


def fit_to_time(
    recipe: Recipe,
    budget: Budget,
    images: RunImages,
    native: int,
    strategy: tf.distribute.Strategy,
    *,
    resolve: Callable[[Recipe], ResolvedRecipe],
    say: Callable[[str], None],
    trial: type[Trial] = Trial,
) -> Recipe:
    """A recipe with encoder, view sizes, epochs and measurements that take the time.

    Real steps of the cheapest candidates are measured, those of the others follow from
    them; the choice is `time_budget`'s. What the user says is kept.

    Args:
      recipe: settings as the user says them.
      budget: the time.
      images: to learn from.
      native: their shorter side in pixels.
      strategy: the devices.
      resolve: adds the defaults.
      say: called with lines on what is measured and chosen.
      trial: takes the steps that are measured.

    Raises:
      UserError: where the time is not enough for one epoch, or epochs are said too.
    """
    if not budget.minutes > 0:
        raise UserError(f"minutes must be above 0, got {budget.minutes:g}.")
    if recipe.epochs is not None or recipe.extend_epochs is not None:
        raise UserError(
            "minutes chooses the epochs: leave out epochs and extend_epochs, or "
            "minutes."
        )
    if recipe.image_size is not None and not isinstance(recipe.image_size, int):
        raise UserError(
            "minutes chooses among square views: give image_size as one side, or leave "
            "out minutes."
        )
    rungs = time_budget.ladder(native, recipe.image_size, recipe.encoder)
    tried = _Tried(recipe, budget, images, strategy, resolve, say, trial)
    # The batch is the same on all rungs of a ladder.
    batch = tried.settings(rungs[0]).batch_size
    enough = time_budget.enough_images(images.count, batch)
    rung = time_budget.search(
        rungs,
        tried.measure,
        enough / batch,
        lambda: _STEPS_SHARE * budget.left,
        tried.another,
    )
    costs = tried.costs(rung)
    per_epoch = max(images.count // batch, 1)
    plan = time_budget.plan(
        costs,
        per_epoch,
        tried.settings(rung).early_share,
        budget.left,
        _eval_every(recipe, per_epoch),
        **({} if recipe.early_share is None else {"tolerance": 0.0}),
    )
    _require_time_for_an_epoch(plan, budget, images.count)
    chosen = _with(recipe, rung, plan)
    for line in _told(resolve(chosen), plan, costs, budget, enough, per_epoch, rungs):
        say(line)
    return chosen


class _Tried:
    """Rungs whose steps were measured; see `fit_to_time` for the arguments."""

    def __init__(
        self,
        recipe: Recipe,
        budget: Budget,
        images: RunImages,
        strategy: tf.distribute.Strategy,
        resolve: Callable[[Recipe], ResolvedRecipe],
        say: Callable[[str], None],
        trial: type[Trial],
    ) -> None:
        self._recipe = recipe
        self._budget = budget
        self._images = images
        self._strategy = strategy
        self._resolve = resolve
        self._say = say
        self._make = trial
        self._trial: Trial | None = None  # The last; one model at a time in memory.
        self._steps: dict[Rung, float] = {}  # Seconds of one on full views.

    def settings(self, rung: Rung) -> ResolvedRecipe:
        """All settings of a rung."""
        return self._resolve(_with(self._recipe, rung))

    def another(self) -> bool:
        """Whether there is time to measure one more."""
        allowed = _MEASURED_SHARE * 60 * self._budget.minutes
        return len(self._steps) < _MOST_MEASURED and self._budget.spent < allowed

    def measure(self, rung: Rung) -> float:
        """Seconds a step, small and full views in the shares of a run."""
        self._say(f"Measuring {rung.encoder} with views of {rung.image_size} px.")
        self._trial = None
        self._trial = self._make(
            self.settings(rung),
            self._images.for_views(self.settings(rung)),
            self._strategy,
            _MEASURING_SHARE * 60 * self._budget.minutes,
            self._budget.clock,
        )
        self._steps[rung] = self._trial.step(rung.image_size)
        settings = self.settings(rung)
        share = settings.early_share
        return self._steps[rung] * (1 - share * (1 - _cost_of_early_views(settings)))

    def costs(self, rung: Rung) -> Costs:
        """What a run takes: measured of the last rung, and of another by its step."""
        trial, last = self._trial, [*self._steps][-1]
        assert trial is not None  # One was measured.
        step = time_budget.predicted(rung, self._steps)
        first, later = trial.evaluation()
        dearer = step / self._steps[last]
        return Costs(
            step,
            self._early_step(rung, step, trial if rung == last else None),
            trial.started + trial.built,
            later * dearer,
            first,
            trial.save(),
        )

    def _early_step(self, rung: Rung, step: float, trial: Trial | None) -> float | None:
        """Seconds of a step on early views, measured where there is time for it."""
        settings = self.settings(rung)
        if not settings.early_share:
            return None
        if trial is None or not self.another():
            return step * _cost_of_early_views(settings)
        started = trial.started
        seconds = trial.step(settings.early_view_size)
        trial.started = max(trial.started, started)
        return seconds


def _with(
    recipe: Recipe,
    rung: Rung,
    plan: Plan | None = None,
) -> Recipe:
    """A recipe that says a rung, and a plan."""
    recipe = dataclasses.replace(
        recipe, encoder=rung.encoder, image_size=rung.image_size
    )
    if plan is None:
        return recipe
    share = recipe.early_share
    return dataclasses.replace(
        recipe,
        epochs=plan.epochs,
        early_share=plan.early_epochs / plan.epochs if share is None else share,
        eval_every=recipe.eval_every or plan.eval_every,
    )


def _cost_of_early_views(recipe: ResolvedRecipe) -> float:
    """A step on early views as a share of one on full views, estimated."""
    small = (recipe.early_view_size / shorter_side(recipe.image_size)) ** 2
    return small**time_budget.EXPONENT


def _eval_every(recipe: Recipe, per_epoch: int) -> float | None:
    """Epochs from one measurement to the next, where the user says it."""
    if recipe.eval_every is None:
        return None
    interval = Interval.parse("eval_every", recipe.eval_every)
    return interval.number / (per_epoch if interval.of_steps else 1)


def _require_time_for_an_epoch(plan: Plan, budget: Budget, images: int) -> None:
    most = budget.left + _TOLERANCE * 60 * budget.minutes
    if plan.epochs == 1 and plan.seconds > most:
        least = (budget.spent + plan.seconds) / 60
        raise UserError(
            f"minutes={budget.minutes:g} is too little for one pass over {images:,} "
            f"images, which takes {least:.1f} minutes in all here: give as many, say a "
            "smaller image_size or encoder, or give fewer images."
        )


def _told(
    recipe: ResolvedRecipe,
    plan: Plan,
    costs: Costs,
    budget: Budget,
    enough: int,
    per_epoch: int,
    rungs: list[Rung],
) -> list[str]:
    """What was measured and chosen, and why."""
    early = ""
    if costs.early_step is not None:
        early = f", {costs.early_step:.3g} s on views of {recipe.early_view_size} px"
    seen = plan.epochs * per_epoch * recipe.batch_size
    rung = Rung(recipe.encoder, shorter_side(recipe.image_size))
    why = "the dearest that sees as many as it should"
    if seen < 0.9 * enough:
        why = "the cheapest, and the time is short"
    if len(rungs) == 1:
        why = "as you say"
    return [
        f"Measured in {duration(budget.spent)}: a step of {recipe.batch_size} images "
        f"takes {costs.step:.3g} s{early}.",
        f"Chosen for {budget.minutes:g} minutes: {rung.encoder}, views of "
        f"{rung.image_size} px: {why} ({seen:,} images, each time counted, of "
        f"{enough:,}).",
        f"Chosen for {budget.minutes:g} minutes: epochs {plan.epochs}, "
        f"{plan.epochs * per_epoch:,} steps, early_share {recipe.early_share:.3g}, "
        f"eval_every {recipe.eval_every}.",
    ]
