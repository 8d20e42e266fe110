"""Every optimizer by name trains, and leaves out what it should."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.optimizer import OPTIMIZERS, make_optimizer


def _make(name, **settings):
    try:
        return make_optimizer(name, **settings)
    except ValueError as error:
        assert name == "lamb"
        pytest.skip(str(error))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_lowers_a_loss(name):
    kernel = tf.Variable([[1.0, -2.0], [0.5, 3.0]], name="dense/kernel")
    optimizer = _make(name, learning_rate=0.05, weight_decay=1e-4)
    if name == "lars":
        optimizer.eta = 1.0
    losses = []
    for _ in range(20):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(kernel - 1.0))
        losses.append(float(loss))
        optimizer.apply_gradients([(tape.gradient(loss, kernel), kernel)])
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("variable_name", ["dense/bias", "bn/gamma", "probe/kernel"])
def test_does_not_decay_biases_batch_norm_or_the_probe(name, variable_name):
    decayed, plain = (tf.Variable([1.0, 2.0], name=variable_name) for _ in range(2))
    for variable, weight_decay in ((decayed, 0.5), (plain, 0.0)):
        optimizer = _make(name, learning_rate=0.1, weight_decay=weight_decay)
        optimizer.apply_gradients([(tf.constant([0.1, 0.2]), variable)])
    np.testing.assert_allclose(decayed, plain, rtol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize(("variable_name", "decays"), [("a/token", 0), ("a/kernel", 1)])
def test_does_not_decay_what_it_is_told_not_to(name, variable_name, decays):
    decayed, plain = (tf.Variable([1.0, 2.0], name=variable_name) for _ in range(2))
    for variable, weight_decay in ((decayed, 0.5), (plain, 0.0)):
        settings = {"weight_decay": weight_decay, "no_decay": [r"\btoken\b"]}
        optimizer = _make(name, learning_rate=0.1, **settings)
        optimizer.apply_gradients([(tf.constant([0.2, 0.1]), variable)])
    alike = np.allclose(decayed, plain, rtol=1e-6)
    assert alike is not bool(decays)


def test_lars_does_not_adapt_what_it_is_told_not_to_decay():
    variable = tf.Variable([1.0, 2.0], name="a/token")
    optimizer = make_optimizer("lars", 0.1, no_decay=["token"])
    optimizer.apply_gradients([(tf.constant([0.1, 0.2]), variable)])
    np.testing.assert_allclose(variable, [1.0 - 0.01, 2.0 - 0.02], rtol=1e-6)


def test_sgd_is_nesterov_momentum_with_an_l2_term():
    start, decay, rate = np.array([1.0, -2.0]), 0.1, 0.05
    kernel = tf.Variable(start, dtype=tf.float32, name="dense/kernel")
    optimizer = make_optimizer("sgd", rate, momentum=0.9, weight_decay=decay)
    weight, velocity = start.copy(), np.zeros(2)
    for gradient in ([0.3, 0.1], [-0.2, 0.4], [0.0, 0.5]):
        optimizer.apply_gradients([(tf.constant(gradient), kernel)])
        total = np.array(gradient) + decay * weight
        velocity = 0.9 * velocity + rate * total
        weight = weight - (0.9 * velocity + rate * total)
    np.testing.assert_allclose(kernel, weight, rtol=1e-5)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'lars', 'sgd', 'adamw', 'lamb'.*'adamm'"):
        make_optimizer("adamm", 0.1)
