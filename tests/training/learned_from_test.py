"""Whether an encoder has seen the images that it is measured on."""

import dataclasses
import types

import pytest

from simclr_tf.data import HELD_OUT
from simclr_tf.training import Recipe
from simclr_tf.training.learned_from import was_learned_from

RUN = Recipe(dataset="folder:photos", image_size=32).resolve()


def _test(split, spec="folder:photos"):
    return types.SimpleNamespace(spec=spec, split=split)


@pytest.mark.parametrize(
    ("settings", "test", "learned_from"),
    [
        ({}, _test(HELD_OUT), False),
        ({}, _test("test"), False),
        ({"pretrain_on_all": True}, _test(HELD_OUT), True),
        ({"pretrain_on_all": True}, _test("test"), False),
        ({"pretrain_on_all": True}, _test(HELD_OUT, "folder:others"), False),
        # These runs hold nothing out.
        ({"labels": False}, _test(HELD_OUT), True),
        ({"test_dataset": "folder:others"}, _test(HELD_OUT), True),
        ({}, _test("train"), True),
    ],
)
def test_a_run_has_learned_from_what_it_did_not_hold_out(settings, test, learned_from):
    recipe = dataclasses.replace(RUN, **settings)
    assert was_learned_from(recipe, test) is learned_from


def test_of_other_encoders_nothing_is_known():
    assert was_learned_from(None, _test("train")) is False
