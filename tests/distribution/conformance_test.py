"""The same global batches give the same training, however many replicas share them.

In float64, where a wrong gradient cannot hide behind rounding, ten steps agree. In
float32 an early, fast-moving network multiplies a rounding error a hundredfold a
step, so that only the first step can be held to a tolerance that means something.
The common tier trains the tiny encoder on two replicas, with LARS and a probe;
`all` has larger networks, workers, more replicas and every method. The TPU program has
the same test in `tests/tpu_check/conformance_test.py`.
"""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tests.distribution.train_case import (
    STEPS,
    Case,
    dataset,
    make_model,
    make_views,
    train,
)

_EXACT = 1e-9  # The error of ten steps in float64; seen are 1e-13 and less.
_ROUNDED = 1e-4  # The error of one step in float32; seen are 1e-5 and less.
# bfloat16 keeps 8 bits, and which kernel a convolution takes depends on the size of
# its batch: replicas can be held to float32 alone, and to no more than a last bit.
_COARSE = 2.0**-8  # Of the loss of one step; seen are 2e-3 and less, on one device too.
_TWO, _FOUR, _EIGHT, _WORKERS = (
    pytest.mark.xdist_group(f"replicas {count}") for count in (2, 4, 8, "of workers")
)
_EXHAUSTIVE = pytest.mark.exhaustive
_WHOLE = {"encoder": "plain", "blocks": (2, 2, 2, 2)}
_ONE_BLOCK_OR_TWO = pytest.mark.parametrize(
    "blocks", [(1,), pytest.param((1, 1), marks=_EXHAUSTIVE)]
)

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


@pytest.fixture(scope="module")
def images(images_npz, tmp_path_factory):
    """A file of images, labels, and the views that a step would make of them."""
    path = str(tmp_path_factory.mktemp("views") / "views.npz")
    case = Case(str(images_npz), encoder="tiny", floatx="float32")
    batches = make_views(make_model(case), dataset(case, STEPS))
    views = np.concatenate([batch["views"] for batch in batches])
    with np.load(images_npz) as arrays:
        count = len(views)
        np.savez(
            path,
            x_train=arrays["x_train"][:count],
            y_train=arrays["y_train"][:count],
            views=views,
        )
    return path


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
        pytest.param(2, {"encoder": "tiny"}, marks=[_TWO, _EXHAUSTIVE]),
        pytest.param(
            2, {"encoder": "plain", "blocks": (1,)}, marks=[_TWO, _EXHAUSTIVE]
        ),
        pytest.param(
            2, {"encoder": "selective", "blocks": (1,)}, marks=[_TWO, _EXHAUSTIVE]
        ),
        pytest.param(4, {"encoder": "tiny"}, marks=[_FOUR, _EXHAUSTIVE]),
        pytest.param("workers", {"encoder": "tiny"}, marks=[_WORKERS, _EXHAUSTIVE]),
        pytest.param(2, {"encoder": "vit"}, marks=[_TWO, _EXHAUSTIVE]),
        pytest.param(
            2, {"encoder": "plain", "blocks": (2, 1)}, marks=[_TWO, _EXHAUSTIVE]
        ),
        pytest.param(
            2, {"encoder": "bottleneck", "blocks": (2,)}, marks=[_TWO, _EXHAUSTIVE]
        ),
        pytest.param(2, _WHOLE, marks=[_TWO, _EXHAUSTIVE]),
        pytest.param(2, {"encoder": "selective"}, marks=[_TWO, _EXHAUSTIVE]),
        pytest.param(4, {"encoder": "plain"}, marks=[_FOUR, _EXHAUSTIVE]),
        pytest.param(4, {"encoder": "selective"}, marks=[_FOUR, _EXHAUSTIVE]),
        pytest.param(8, {"encoder": "plain"}, marks=[_EIGHT, _EXHAUSTIVE]),
        pytest.param(8, {"encoder": "selective"}, marks=[_EIGHT, _EXHAUSTIVE]),
        pytest.param("workers", _WHOLE, marks=[_WORKERS, _EXHAUSTIVE]),
        pytest.param(
            "workers", {"encoder": "selective"}, marks=[_WORKERS, _EXHAUSTIVE]
        ),
    ],
)
def test_ten_steps_are_those_of_one_device(on, images, devices, settings):
    case = Case(images, views=True, **settings)
    ours, theirs = on(devices, case), _alone(case)
    assert len(theirs["loss"]) == 10
    assert np.ptp(theirs["loss"]) > 0.1
    assert {"gradient", "moving", "weights", "contrastive_accuracy"} < theirs.keys()
    _assert_same(ours, theirs)


@_TWO
@pytest.mark.parametrize(
    ("encoder", "color_strength"),
    [("tiny", 0.0), pytest.param("plain", 0.5, marks=_EXHAUSTIVE)],
)
def test_views_made_by_replicas_with_lars_a_probe_and_steps_at_once(
    on, images_npz, encoder, color_strength
):
    """Colours take their time to trace, and draw as crops and flips do."""
    case = Case(
        str(images_npz),
        optimizer="lars",
        probe=True,
        steps_per_execution=5,
        encoder=encoder,
        blocks=(1,),
        color_strength=color_strength,
    )
    ours, theirs = on(2, case), _alone(case)
    assert len(theirs["probe_loss"]) == 2
    assert theirs["probe_accuracy"].max() > 0
    _assert_same(ours, theirs)


@_TWO
@pytest.mark.parametrize(
    "method",
    [
        pytest.param("supcon", marks=_EXHAUSTIVE),
        pytest.param("jigsaw", marks=_EXHAUSTIVE),
        pytest.param("supervised", marks=_EXHAUSTIVE),
        pytest.param("dcl", marks=_EXHAUSTIVE),
        pytest.param("rotation", marks=_EXHAUSTIVE),
    ],
)
def test_ten_steps_of_a_method_are_those_of_one_device(on, images, method):
    """Labels of all replicas, fewer on the first; draws that travel with views."""
    case = Case(images, method=method, encoder="tiny", unlabelled=5)
    ours, theirs = on(2, case), _alone(case)
    assert np.ptp(theirs["loss"]) > 1e-3
    _assert_same(ours, theirs)


@pytest.mark.exhaustive
@_TWO
@_ONE_BLOCK_OR_TWO
def test_activations_computed_again_by_replicas(on, images, blocks):
    case = {"views": True, "blocks": blocks}
    again = Case(images, rematerialize=True, **case)
    _assert_same(on(2, again), _alone(Case(images, **case)))


@pytest.mark.exhaustive
@_TWO
@_ONE_BLOCK_OR_TWO
def test_the_first_step_in_float32(on, images, blocks):
    case = Case(images, floatx="float32", views=True, blocks=blocks)
    ours, theirs = on(2, case), _alone(case)
    assert _error(ours["gradient"], theirs["gradient"]) < _ROUNDED
    np.testing.assert_allclose(ours["loss"][0], theirs["loss"][0], rtol=_ROUNDED)


@pytest.mark.exhaustive
@_TWO
@_ONE_BLOCK_OR_TWO
def test_the_first_step_in_bfloat16(on, images, blocks):
    """Replicas round other sums, and stray from float32 no farther than one does."""
    case = {"floatx": "float32", "views": True, "blocks": blocks}
    exact = _alone(Case(images, **case))
    case = Case(images, policy="mixed_bfloat16", **case)
    ours, theirs = on(2, case), _alone(case)
    np.testing.assert_allclose(ours["loss"][0], exact["loss"][0], rtol=_COARSE)
    alone = _error(theirs["gradient"], exact["gradient"])
    assert 0 < alone < 0.5
    assert _error(ours["gradient"], exact["gradient"]) < 1.25 * alone
