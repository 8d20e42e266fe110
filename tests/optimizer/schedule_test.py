"""Schedules agree with the published code and end exactly where asked."""

import ast

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.optimizer import (
    WarmRestarts,
    WarmupCosineDecay,
    scaled_learning_rate,
)


@pytest.mark.parametrize("case", range(4))
def test_agrees_with_the_published_schedule(golden_folder, case):
    golden = np.load(golden_folder / "schedule.npz")
    args = ast.literal_eval(str(golden[f"{case}_args"]))
    peak = scaled_learning_rate(
        args["base_learning_rate"], args["batch_size"], args["scaling"]
    )
    examples = args["warmup_epochs"] * args["num_examples"]
    schedule = WarmupCosineDecay(
        peak,
        total_steps=args["total_steps"],
        warmup_steps=round(examples // args["batch_size"]),
    )
    got = [float(schedule(step)) for step in golden[f"{case}_step"]]
    np.testing.assert_allclose(got, golden[f"{case}_lr"], rtol=0, atol=1e-6 * peak)


def test_starts_at_zero_peaks_after_the_warm_up_and_ends_at_zero():
    schedule = WarmupCosineDecay(2.0, total_steps=50, warmup_steps=10)
    assert float(schedule(0)) == 0.0
    assert float(schedule(5)) == pytest.approx(1.0)
    assert float(schedule(10)) == pytest.approx(2.0)
    assert float(schedule(49)) > 0.0
    for step in (50, 51, 1000):
        assert float(schedule(step)) == pytest.approx(0.0, abs=1e-7)


def test_is_rebuilt_from_its_config():
    schedule = WarmupCosineDecay(2.0, total_steps=50, warmup_steps=10)
    serialize = tf.keras.optimizers.schedules.serialize
    again = tf.keras.optimizers.schedules.deserialize(serialize(schedule))
    assert again.get_config() == schedule.get_config()


def test_warm_restarts_are_schedules_in_turn():
    first = WarmupCosineDecay(2.0, total_steps=6, warmup_steps=2)
    second = WarmupCosineDecay(3.0, total_steps=5)
    schedule = WarmRestarts([first, second], [0, 6])
    rates = [float(schedule(step)) for step in range(12)]
    expected = [float(first(step)) for step in range(6)]
    expected += [float(second(step)) for step in range(6)]
    assert rates == expected
    serialize = tf.keras.optimizers.schedules.serialize
    again = tf.keras.optimizers.schedules.deserialize(serialize(schedule))
    assert [float(again(step)) for step in range(12)] == rates
    for starts in ([0], [0, 0], [1, 6], [6, 0]):
        with pytest.raises(ValueError, match="starts must rise from 0"):
            WarmRestarts([first, second], starts)


@pytest.mark.parametrize(
    "settings",
    [
        {"peak_learning_rate": -1.0, "total_steps": 5},
        {"peak_learning_rate": float("nan"), "total_steps": 5},
        {"peak_learning_rate": float("inf"), "total_steps": 5},
        {"peak_learning_rate": 1.0, "total_steps": 0},
        {"peak_learning_rate": 1.0, "total_steps": 5, "warmup_steps": 6},
    ],
)
def test_bad_arguments_are_named(settings):
    with pytest.raises(ValueError, match="must be at least"):
        WarmupCosineDecay(**settings)


def test_unknown_scaling_is_named():
    with pytest.raises(ValueError, match="'cubic'"):
        scaled_learning_rate(0.1, 256, "cubic")
