"""Every so many epochs or steps, as a person says it."""

import pytest

from simclr_tf.errors import UserError
from simclr_tf.training import Recipe
from simclr_tf.training.calendar import Calendar
from simclr_tf.training.flagfile import from_flagfile, to_flagfile
from simclr_tf.training.interval import Interval


def _named(interval, calendar):
    step, steps = 0, []
    while step < calendar.total:
        step = interval.next_step(step, calendar)
        steps.append(step)
    return steps


@pytest.mark.parametrize(
    ("said", "setting", "steps"),
    [
        (1, 1, [4, 8, 12]),
        ("2", 2, [8, 12]),
        ("2epochs", 2, [8, 12]),
        (5, 5, [12]),
        ("5steps", "5steps", [5, 10, 12]),
        ("1step", "1steps", list(range(1, 13))),
        ("100steps", "100steps", [12]),
    ],
)
def test_it_names_steps_and_the_last_of_all(said, setting, steps):
    interval = Interval.parse("eval_every", said)
    assert interval.setting == setting
    assert _named(interval, Calendar(epochs=3, steps_per_epoch=4)) == steps


@pytest.mark.parametrize("said", ["", "often", "5 minutes", "1.5", "steps"])
def test_what_is_no_interval_is_told_with_examples(said):
    with pytest.raises(UserError, match=f"eval_every must be .*500steps, got '{said}'"):
        Interval.parse("eval_every", said)


@pytest.mark.parametrize("said", [0, -1, "0steps"])
def test_it_is_one_or_more(said):
    with pytest.raises(UserError, match="eval_every must be 1 or more, got"):
        Interval.parse("eval_every", said)


@pytest.mark.parametrize(("said", "kept"), [("7", 7), (7, 7), ("20steps", "20steps")])
def test_a_run_folder_keeps_it(said, kept):
    recipe = Recipe(eval_every=said).resolve()
    assert recipe.eval_every == kept
    text = to_flagfile(recipe)
    assert f"--eval_every={kept}\n" in text
    assert from_flagfile(text, "flags.txt") == recipe
