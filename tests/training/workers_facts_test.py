"""What workers of one run compare before they take a step together."""

import dataclasses
import importlib

import pytest

from simclr_tf.training import Recipe
from simclr_tf.training.calendar import Calendar
from simclr_tf.training.data_record import DataRecord
from simclr_tf.training.how_often import HowOften

# The room gives the function's name to the function.
_begin = importlib.import_module("simclr_tf.training.begin")
_RECIPE = Recipe(dataset="folder:a", image_size=32).resolve()
_RECORD = DataRecord({"images": 8, "digest": "x"}, Calendar(2, 4))


def _facts(step=3, recipe=_RECIPE, record=_RECORD, log_every=5, save_every=7):
    often = HowOften(log_every, save_every, 5.0)
    return _begin._facts(step, recipe, record, often)


def _with(**changes):
    return dataclasses.replace(_RECIPE, **changes)


@pytest.mark.parametrize(
    ("differing", "name"),
    [
        ({"step": 4}, "steps done"),
        ({"recipe": _with(temperature=0.7)}, "settings"),
        ({"recipe": _with(seed=9)}, "settings"),
        ({"record": DataRecord({"images": 8, "digest": "y"}, Calendar(2, 4))}, "data"),
        ({"record": DataRecord(_RECORD.fingerprint, Calendar(2, 5))}, "data"),
        ({"log_every": 6}, "log_every and checkpoint_steps"),
        ({"save_every": 8}, "log_every and checkpoint_steps"),
    ],
)
def test_what_differs_is_found(differing, name):
    ours, theirs = _facts(), _facts(**differing)
    assert [key for key in ours if ours[key] != theirs[key]] == [name]


def test_versions_are_among_it(monkeypatch):
    ours = _facts()
    monkeypatch.setattr(_begin, "versions", lambda: {"tensorflow": "1.0"})
    assert ours["versions"]["tensorflow"] != _facts()["versions"]["tensorflow"]


def test_where_the_images_lie_is_each_hosts_own():
    assert _facts() == _facts(recipe=_with(dataset="folder:b", test_dataset="folder:c"))
