"""Values out of range are refused by a graph when it runs, and cost a step nothing."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.augmentation import (
    checked_values,
    explain_out_of_range,
    known_in_range,
    to_unit_range,
)
from simclr_tf.errors import UserError

pytestmark = pytest.mark.slow

_UNIT = np.random.default_rng(0).uniform(size=[4, 6, 6, 3])
_WRONG = [
    ((_UNIT * 255).astype("float32"), r"to 25\d.* by 255, or cast to uint8"),
    ((_UNIT * 255).astype("float16"), r"by 255, or cast to uint8"),
    ((_UNIT - 0.5) / 0.25, "standardises"),
    (np.where(_UNIT > 0.9, np.nan, _UNIT), "NaN"),
    ((_UNIT * 255).astype("uint16"), "only 25.* nearly black.* to uint8"),
]


def _in_function(images):
    return tf.function(to_unit_range)(images)


def _in_map(images):
    return next(iter(tf.data.Dataset.from_tensors(images).map(to_unit_range)))


@pytest.mark.parametrize(("images", "remedy"), _WRONG)
@pytest.mark.parametrize("run", [_in_function, _in_map])
def test_the_error_tells_the_remedy_in_tensorflows_words_and_in_ours(
    run, images, remedy
):
    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        run(images)
    assert "Divide floating-point pixels in 0..255 by 255" in raised.value.message
    with pytest.raises(UserError, match=remedy):
        explain_out_of_range(raised.value)


@pytest.mark.parametrize(
    "images",
    [
        (_UNIT * 65535).astype("uint16"),
        _UNIT.astype("float16"),
        _UNIT * 1.6 - 0.3,
        np.zeros([0, 3, 3, 3], "float32"),
    ],
)
def test_images_in_range_pass_unchanged(images):
    np.testing.assert_array_equal(tf.function(checked_values)(images), images)


def _operations(function, *specs):
    graph = tf.function(function).get_concrete_function(*specs).graph.as_graph_def()
    return {node.op for node in graph.node}


def test_what_is_known_to_be_in_range_costs_nothing():
    def known(images):
        with known_in_range():
            return checked_values(images)

    pixels = tf.TensorSpec([2, 4, 4, 3], tf.uint8)
    floats = tf.TensorSpec([2, 4, 4, 3], tf.float32)
    nothing = {"Placeholder", "Identity"}
    assert _operations(checked_values, pixels) <= nothing
    assert _operations(known, floats) <= nothing
    assert {"Min", "Max"} <= _operations(checked_values, floats)
    # The check is back after it.
    with pytest.raises(UserError, match="by 255"), known_in_range():
        checked_values(tf.constant(_UNIT * 255))


def test_what_xla_compiles_leaves_the_check_out():
    compiled = tf.function(to_unit_range, jit_compile=True)
    np.testing.assert_allclose(compiled(_WRONG[0][0]), _WRONG[0][0])


def test_a_vectorized_map_checks_too():
    np.testing.assert_allclose(tf.vectorized_map(to_unit_range, _UNIT), _UNIT, 1e-6)
    with pytest.raises(tf.errors.InvalidArgumentError, match="by 255"):
        tf.vectorized_map(to_unit_range, _UNIT * 255)


def test_other_errors_are_left_alone():
    explain_out_of_range(tf.errors.InvalidArgumentError(None, None, "shapes differ"))
