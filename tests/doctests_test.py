"""Every public class has an example, and the examples do what they say."""

import doctest
import inspect

import numpy as np
import pytest
import tensorflow as tf

import simclr_tf
from simclr_tf import (
    augmentation,
    data,
    encoder,
    evaluation,
    evaluators,
    methods,
    training,
)

ROOMS = (simclr_tf, augmentation, data, encoder, evaluation, evaluators, methods)
# What others give, and no user makes.
GIVEN = {"Encoded", "Monitor", "PretrainingData", "ResolvedRecipe", "Capabilities"}


def _public():
    found = {}
    for room in (*ROOMS, training):
        for name in room.__all__:
            value = getattr(room, name)
            if inspect.isclass(value) or inspect.isfunction(value):
                found[name] = value
    return found


PUBLIC = _public()
WITH_EXAMPLES = sorted(n for n, v in PUBLIC.items() if ">>>" in (v.__doc__ or ""))


def test_every_public_class_has_an_example():
    classes = {
        name
        for name, value in PUBLIC.items()
        if inspect.isclass(value) and not issubclass(value, BaseException)
    }
    assert classes - GIVEN == {n for n in WITH_EXAMPLES if n in classes}


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_an_example_does_what_it_says(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scope = {"np": np, "tf": tf, "simclr_tf": simclr_tf}
    examples = doctest.DocTestParser().get_doctest(
        PUBLIC[name].__doc__, scope, name, None, None
    )
    lines = []
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(examples, out=lines.append)
    assert not runner.failures, "".join(lines)
    assert runner.tries
