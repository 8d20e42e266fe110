"""When a state is saved."""

import tensorflow as tf

from simclr_tf.training.calendar import Calendar
from simclr_tf.training.finite_check import FiniteCheck
from simclr_tf.training.hooks import Moment, Save

CALENDAR = Calendar(epochs=2, steps_per_epoch=10)


def _hook(saved, **options):
    model = tf.keras.Sequential([tf.keras.Input([1]), tf.keras.layers.Dense(1)])
    check = FiniteCheck(model, CALENDAR, lambda: "")
    return Save(saved.append, check, CALENDAR, **options)


def _moment(step, stopping=False):
    return Moment(step, CALENDAR.total, stopping, dict)


def test_at_its_steps_at_epochs_ends_at_a_stop_and_when_asked():
    saved = []
    save = _hook(saved, every=4)
    for step in range(1, 21):
        save.after(_moment(step, stopping=step == 7), asked=step == 13)
    assert saved == [4, 7, 8, 10, 12, 13, 16, 20]
    steps = [0]
    while steps[-1] < CALENDAR.total:
        steps.append(save.next_step(steps[-1]))
    assert steps == [0, 4, 8, 10, 12, 16, 20]


def test_it_asks_when_its_seconds_are_over_and_only_where_it_keeps_time():
    saved = []
    assert _hook(saved, seconds=0.0).asks()
    assert not _hook(saved, seconds=0.0, keeps_time=False).asks()
    assert not _hook(saved, seconds=100.0).asks()
