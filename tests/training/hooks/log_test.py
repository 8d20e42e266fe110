"""The figures of a row."""

import math

import pytest
import tensorflow as tf

from simclr_tf.training import Diverged
from simclr_tf.training.calendar import Calendar
from simclr_tf.training.finite_check import FiniteCheck
from simclr_tf.training.hooks import Log, Moment

CALENDAR = Calendar(epochs=1, steps_per_epoch=100)


def _row(optimizer, values, every=2, step=2, of_labels=()):
    """What is written after two steps of a model with one weight, 3."""
    model = tf.keras.Sequential([tf.keras.layers.Dense(1, use_bias=False)])
    model.build((None, 1))
    model.layers[0].kernel.assign([[3.0]])
    model.compile(optimizer)
    model.metrics_of_labels = frozenset(of_labels)
    rows = []
    check = FiniteCheck(model, CALENDAR, lambda: "")
    log = Log(model, CALENDAR, 8, every, check, rows.append)
    log.before(0)
    log.after(Moment(step, 100, False, lambda: dict(values)), asked=False)
    return rows


@pytest.mark.parametrize("legacy", [False, True])
def test_the_learning_rate_is_that_of_the_step_and_weights_have_a_norm(legacy):
    schedule = tf.keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.5, 0.25])
    room = tf.keras.optimizers.legacy if legacy else tf.keras.optimizers
    optimizer = room.SGD(schedule)
    weight = tf.Variable(1.0)
    for _ in range(3):  # The third takes what the schedule says of 2.
        optimizer.apply_gradients([(tf.constant(1.0), weight)])
    (row,) = _row(optimizer, {"loss": 1.5})
    assert row.pop("images_per_second") > 0
    assert row == {
        **{"step": 2, "epoch": 0.02, "loss": 1.5},
        **{"learning_rate": 0.25, "weight_norm": pytest.approx(3.0)},
    }


def test_a_step_that_the_loss_scale_left_out_has_no_gradient_norm():
    optimizer = tf.keras.mixed_precision.LossScaleOptimizer(
        tf.keras.optimizers.SGD(0.5)
    )
    (row,) = _row(optimizer, {"loss": 1.5, "gradient_norm": math.inf})
    assert row["loss_scale"] == 2.0**15
    assert row["learning_rate"] == 0.5
    assert "gradient_norm" not in row


def test_a_loss_that_is_no_number_is_not_written():
    with pytest.raises(Diverged, match="loss became nan in epoch 1"):
        _row(tf.keras.optimizers.SGD(0.5), {"loss": math.nan})


def test_what_no_label_tells_is_left_out():
    values = {"loss": 1.5, "probe_loss": math.nan, "probe_accuracy": 0.5}
    optimizer = tf.keras.optimizers.SGD(0.5)
    (row,) = _row(optimizer, values, of_labels=["probe_loss", "probe_accuracy"])
    assert "probe_loss" not in row
    assert (row["loss"], row["probe_accuracy"]) == (1.5, 0.5)
    with pytest.raises(Diverged, match="probe_loss became inf"):
        _row(optimizer, {**values, "probe_loss": math.inf}, of_labels=["probe_loss"])


@pytest.mark.parametrize(("every", "step"), [(0, 2), (3, 2)])
def test_no_row_is_written_between(every, step):
    assert _row(tf.keras.optimizers.SGD(0.5), {"loss": 1.0}, every, step) == []
