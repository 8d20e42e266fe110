"""SupCon is equation 2 of its paper, in value and gradient, tiled or not."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.loss import contrast, supcon
from tests.loss import reference

_LABELS = np.array([0, 3, 3, -1, 0, 0, -1, 2**31 - 1, 1, 3, -1, 2])


def _projections(width=16):
    generator = np.random.default_rng(0)
    z_a = generator.normal(size=[len(_LABELS), width])
    return z_a, z_a + generator.normal(size=z_a.shape)


def _differentiate(z_a, z_b, labels, **settings):
    z_a, z_b = tf.constant(z_a), tf.constant(z_b)
    with tf.GradientTape() as tape:
        tape.watch([z_a, z_b])
        found = supcon(z_a, z_b, tf.constant(labels, tf.int32), **settings)
    return found, tape.gradient(found.loss, [z_a, z_b])


@pytest.mark.parametrize("temperature", [0.07, 1.0])
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("block_size", [None, 5, 24])
def test_agrees_with_the_formula_in_float64(temperature, normalize, block_size):
    z = _projections()
    expected, *gradients = reference.supcon(*z, _LABELS, temperature, normalize)
    found, ours = _differentiate(
        *z,
        _LABELS,
        temperature=temperature,
        normalize=normalize,
        block_size=block_size,
    )
    assert found.loss.dtype == tf.float64
    np.testing.assert_allclose(found.loss, expected, rtol=1e-12)
    for got, wanted in zip(ours, gradients):
        np.testing.assert_allclose(got, wanted, atol=1e-12 * np.abs(wanted).max())


def test_without_labels_it_is_nt_xent():
    z = [tf.constant(each) for each in _projections()]
    found, ours = _differentiate(*z, -np.ones(len(_LABELS)))
    with tf.GradientTape() as tape:
        tape.watch(z)
        expected = contrast(*z)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    for got, wanted in zip(ours, tape.gradient(expected.loss, z)):
        np.testing.assert_allclose(got, wanted, atol=1e-14)


def test_accuracy_asks_whether_the_nearest_is_of_the_class():
    """Two classes that lie apart, whose views are nearer to others of the class."""
    angles = np.array([0.0, 0.1, 2.0, 2.1])
    z_a = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    z_b = z_a[[1, 0, 3, 2]]
    together, _ = _differentiate(z_a, z_b, [0, 0, 1, 1])
    apart, _ = _differentiate(z_a, z_b, [0, 1, 2, 3])
    assert together.accuracy == 1.0
    assert apart.accuracy == 0.0


def test_float16_projections_are_compared_in_float32():
    z = [tf.cast(each, tf.float16) for each in _projections()]
    assert supcon(*z, _LABELS).loss.dtype == tf.float32


def test_a_temperature_out_of_range_is_refused():
    with pytest.raises(UserError, match="temperature must be greater than 0"):
        supcon(*_projections(), _LABELS, temperature=0.0)
