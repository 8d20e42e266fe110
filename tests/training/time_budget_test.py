"""The policy of a run that takes so many minutes, from costs that are given."""

import pytest

from simclr_tf.training import time_budget
from simclr_tf.training.time_budget import Costs, Rung


def test_rungs_are_from_cheap_to_dear_and_no_larger_than_the_images():
    for native in (24, 32, 40, 64, 80, 100, 144, 300, 2000):
        rungs = time_budget.ladder(native, None, None)
        assert len(set(rungs)) == len(rungs) >= 3
        assert all(r.image_size <= native for r in rungs)
        for cheap, dear in zip(rungs, rungs[1:]):
            assert cheap.work < dear.work, (cheap, dear)
    sizes = {r.image_size for r in time_budget.ladder(300, None, None)}
    assert sizes == {64, 96, 128, 160, 224}


def test_what_is_said_is_on_every_rung():
    sizes = time_budget.ladder(300, None, "vit_tiny16")
    assert {rung.encoder for rung in sizes} == {"vit_tiny16"}
    assert len(sizes) == 5
    encoders = time_budget.ladder(300, 48, None)
    assert {rung.image_size for rung in encoders} == {48}
    assert time_budget.ladder(32, 20, "resnet34") == [Rung("resnet34", 20)]


def _measure(rungs, factor):
    """Seconds a step by a machine that this factor makes slow; and what was asked."""
    asked = []

    def measure(rung):
        asked.append(rung)
        return factor * rung.work**0.7

    return measure, asked


@pytest.mark.parametrize("native", [32, 300])
def test_a_faster_machine_gets_a_dearer_rung_from_few_measurements(native):
    rungs = time_budget.ladder(native, None, None)
    chosen = []
    for exponent in range(-9, 3):
        measure, asked = _measure(rungs, 10.0**exponent)
        rung = time_budget.search(
            rungs, measure, 1400, lambda: 600.0, lambda asked=asked: len(asked) < 3
        )
        assert len(asked) <= 3
        chosen.append(rungs.index(rung))
    assert chosen == sorted(chosen, reverse=True)
    assert (chosen[0], chosen[-1]) == (len(rungs) - 1, 0)


def test_a_rung_is_chosen_that_takes_enough_steps():
    rungs = time_budget.ladder(300, None, None)
    for factor in (1e-4, 3e-4, 1e-3):
        measure, _ = _measure(rungs, factor)
        rung = time_budget.search(rungs, measure, 1400, lambda: 600.0, lambda: True)
        assert measure(rung) * 1400 <= 600.0


@pytest.mark.parametrize(
    ("images", "batch", "enough"),
    [(927, 64, 1400 * 64), (5000, 64, 300_000), (10_000, 128, 600_000)],
)
def test_images_are_seen_sixty_times_and_1400_steps_are_taken(images, batch, enough):
    assert time_budget.enough_images(images, batch) == enough
    assert time_budget.enough_images(10**6, 256) == 640_000


def test_without_time_to_measure_the_choice_rests_on_what_is_known():
    rungs = time_budget.ladder(300, None, None)
    measure, asked = _measure(rungs, 1e-2)
    rung = time_budget.search(rungs, measure, 1400, lambda: 60.0, lambda: False)
    assert asked == [time_budget.first_to_measure(rungs)]
    assert rung == rungs[0]


_COSTS = Costs(
    step=0.5, early_step=0.2, start=20, evaluation=4, first_evaluation=15, epoch=0.2
)


def _taken(costs, plan, per_epoch):
    """The seconds of a plan, step by step and epoch by epoch."""
    seconds, evaluated = 0.0, 0
    for epoch in range(plan.epochs):
        early = epoch < plan.early_epochs
        if epoch in {0, plan.early_epochs}:
            seconds += costs.start
        seconds += per_epoch * (costs.early_step if early else costs.step)
        seconds += costs.epoch
        if (epoch + 1) % plan.eval_every == 0 or epoch + 1 == plan.epochs:
            evaluated += 1
            first = evaluated == 1
            seconds += costs.first_evaluation if first else costs.evaluation
    return seconds, evaluated


@pytest.mark.parametrize("per_epoch", [8, 14, 78])
@pytest.mark.parametrize("minutes", [5, 12, 40, 600])
@pytest.mark.parametrize("share", [0.0, 0.75])
def test_a_plan_takes_the_time(per_epoch, minutes, share):
    costs = _COSTS if share else _COSTS._replace(early_step=None)
    plan = time_budget.plan(costs, per_epoch, share, 60.0 * minutes)
    seconds, evaluated = _taken(costs, plan, per_epoch)
    assert seconds == pytest.approx(plan.seconds)
    epoch = per_epoch * costs.step if not share else 0.0
    assert abs(seconds - 60 * minutes) <= max(0.02 * 60 * minutes, epoch / 2 + 1)
    assert abs(plan.early_epochs / plan.epochs - share) <= 0.1
    assert plan.early_epochs < plan.epochs
    assert (evaluated - 1) * costs.evaluation <= 0.05 * 60 * minutes


def test_few_long_epochs_meet_the_time_by_their_share_of_small_views():
    """Epochs of 400 s and 160 s in 20 minutes."""
    plan = time_budget.plan(_COSTS, 800, 0.75, 1200.0)
    assert abs(plan.seconds - 1200) <= 0.1 * 1200
    said = time_budget.plan(_COSTS, 14, 0.75, 1200.0, tolerance=0.0)
    assert said.early_epochs == round(0.75 * said.epochs)


def test_measurements_that_are_said_are_kept_and_cost_their_time():
    often = time_budget.plan(_COSTS, 14, 0.75, 1200.0, eval_every=1)
    rarely = time_budget.plan(_COSTS, 14, 0.75, 1200.0)
    assert often.eval_every == 1
    assert often.epochs < 0.8 * rarely.epochs
    assert often.seconds == pytest.approx(_taken(_COSTS, often, 14)[0])
