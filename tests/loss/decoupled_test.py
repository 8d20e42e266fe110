"""DCL is NT-Xent without the positive in the denominator, tiled or not."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.loss import dcl, nt_xent
from tests.loss import reference


def _projections(count=12, width=16):
    generator = np.random.default_rng(1)
    z_a = generator.normal(size=[count, width])
    return z_a, z_a + generator.normal(size=z_a.shape)


def _differentiate(z_a, z_b, **settings):
    z_a, z_b = tf.constant(z_a), tf.constant(z_b)
    with tf.GradientTape() as tape:
        tape.watch([z_a, z_b])
        found = dcl(z_a, z_b, **settings)
    return found, tape.gradient(found.loss, [z_a, z_b])


@pytest.mark.parametrize("temperature", [0.07, 1.0])
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("block_size", [None, 5, 24])
def test_agrees_with_the_formula_in_float64(temperature, normalize, block_size):
    z = _projections()
    expected, *gradients = reference.dcl(*z, temperature, normalize)
    found, ours = _differentiate(
        *z, temperature=temperature, normalize=normalize, block_size=block_size
    )
    assert found.loss.dtype == tf.float64
    np.testing.assert_allclose(found.loss, expected, rtol=1e-12)
    for got, wanted in zip(ours, gradients):
        np.testing.assert_allclose(got, wanted, atol=1e-12 * np.abs(wanted).max())


def test_it_lacks_the_positive_term_of_nt_xent():
    """log(e^p + sum over negatives) turns into log of the sum over negatives."""
    z = _projections()
    assert dcl(*z).loss < nt_xent(*z)
    # Where positives are all but equal, NT-Xent has little left to learn from.
    near = (z[0], z[0] + 1e-6 * z[1])
    _, ours = _differentiate(*near, temperature=0.1)
    z_a, z_b = map(tf.constant, near)
    with tf.GradientTape() as tape:
        tape.watch(z_a)
        loss = nt_xent(z_a, z_b, temperature=0.1)
    assert tf.norm(ours[0]) > 5 * tf.norm(tape.gradient(loss, z_a))


def test_accuracy_and_entropy_are_over_negatives():
    alike = np.ones([6, 4])
    found = dcl(alike, alike)
    assert found.accuracy == 0.0
    np.testing.assert_allclose(found.entropy, np.log(10), rtol=1e-12)
