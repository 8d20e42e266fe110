"""The same global batches give the same training, however many replicas share them.

In float64, where a wrong gradient cannot hide behind rounding, ten steps agree. In
float32 an early, fast-moving network multiplies a rounding error a hundredfold a
step, so that only the first step can be held to a tolerance that means something.
The common tier trains one block of each kind and a second of some; `all` has larger
networks and more replicas of each. The TPU program has the same test in
`tests/tpu_check/conformance_test.py`.
"""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tests.distribution.train_case import Case, train

_EXACT = 1e-9  # The error of ten steps in float64; seen are 1e-13 and less.
_ROUNDED = 1e-4  # The error of one step in float32; seen are 1e-5 and less.
# bfloat16 keeps 8 bits: its error against float32 bounds what replicas may add.
_COARSE = 1e-3  # Of the loss of one step; seen is 1e-4.
_TWO, _FOUR, _EIGHT, _WORKERS = (
    pytest.mark.xdist_group(f"replicas {count}") for count in (2, 4, 8, "of workers")
)
_EXHAUSTIVE = pytest.mark.exhaustive
_WHOLE = {"encoder": "plain", "blocks": (2, 2, 2, 2)}

pytestmark = pytest.mark.slow


@functools.lru_cache
def _alone(case):
    """On one device, here."""
    return train(tf.distribute.OneDeviceStrategy("CPU:0"), case)


@pytest.fixture
def on(replicas, workers):
    """Trains a case on a count of replicas, or on "workers", two of them."""

    def run(devices, case):
        if devices != "workers":
            return replicas(devices).run(train, case=case)
        ours, other = workers(train, case=case)
        for name, values in ours.items():
            np.testing.assert_array_equal(values, other[name], err_msg=name)
        return ours

    return run


def _error(ours, theirs):
    """Of a vector, relative to its length."""
    return np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)


def _assert_same(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, expected in theirs.items():
        assert _error(ours[name], expected) < _EXACT, name


@pytest.mark.parametrize(
    ("devices", "settings"),
    [
        pytest.param(2, {"encoder": "plain", "blocks": (2, 1)}, marks=_TWO),
        pytest.param(2, {"encoder": "bottleneck", "blocks": (2,)}, marks=_TWO),
        pytest.param(2, {"encoder": "selective", "blocks": (1, 1)}, marks=_TWO),
        pytest.param(4, {"encoder": "plain", "blocks": (1,)}, marks=_FOUR),
        pytest.param(8, {"encoder": "plain", "blocks": (1,)}, marks=_EIGHT),
        pytest.param("workers", {"encoder": "plain"}, marks=_WORKERS),
        pytest.param(2, _WHOLE, marks=[_TWO, _EXHAUSTIVE]),
        pytest.param(4, {"encoder": "selective"}, marks=[_FOUR, _EXHAUSTIVE]),
        pytest.param(8, {"encoder": "selective"}, marks=[_EIGHT, _EXHAUSTIVE]),
        pytest.param("workers", _WHOLE, marks=[_WORKERS, _EXHAUSTIVE]),
        pytest.param(
            "workers", {"encoder": "selective"}, marks=[_WORKERS, _EXHAUSTIVE]
        ),
    ],
)
def test_ten_steps_are_those_of_one_device(on, images_npz, devices, settings):
    case = Case(str(images_npz), views=True, **settings)
    ours, theirs = on(devices, case), _alone(case)
    assert len(theirs["loss"]) == 10
    assert np.ptp(theirs["loss"]) > 0.1
    assert {"gradient", "moving", "weights", "contrastive_accuracy"} < theirs.keys()
    _assert_same(ours, theirs)


@_TWO
def test_views_made_by_replicas_with_lars_a_probe_and_steps_at_once(on, images_npz):
    case = Case(
        str(images_npz),
        optimizer="lars",
        probe=True,
        steps_per_execution=5,
        blocks=(1,),
    )
    ours, theirs = on(2, case), _alone(case)
    assert len(theirs["probe_loss"]) == 2
    assert theirs["probe_accuracy"].max() > 0
    _assert_same(ours, theirs)


@_TWO
def test_activations_computed_again_by_replicas(on, images_npz):
    case = {"views": True, "blocks": (2, 1)}
    again = Case(str(images_npz), rematerialize=True, **case)
    _assert_same(on(2, again), _alone(Case(str(images_npz), **case)))


@_TWO
def test_the_first_step_in_float32(on, images_npz):
    case = Case(str(images_npz), floatx="float32", views=True)
    ours, theirs = on(2, case), _alone(case)
    assert _error(ours["gradient"], theirs["gradient"]) < _ROUNDED
    np.testing.assert_allclose(ours["loss"][0], theirs["loss"][0], rtol=_ROUNDED)


@_TWO
def test_the_first_step_in_bfloat16(on, images_npz):
    """Replicas round other sums, and stray from float32 no farther than one does."""
    case = {"floatx": "float32", "views": True}
    exact = _alone(Case(str(images_npz), **case))["gradient"]
    case = Case(str(images_npz), policy="mixed_bfloat16", **case)
    ours, theirs = on(2, case), _alone(case)
    np.testing.assert_allclose(ours["loss"][0], theirs["loss"][0], rtol=_COARSE)
    alone = _error(theirs["gradient"], exact)
    assert 0 < alone < 0.5
    assert _error(ours["gradient"], exact) < 1.25 * alone
