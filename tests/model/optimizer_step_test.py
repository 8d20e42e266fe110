"""An optimizer's step as Keras takes it, beside the norm of the whole gradient."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.model.optimizer_step import global_norm, minimize
from simclr_tf.optimizer import LARS

pytestmark = pytest.mark.slow

_LEGACY = tf.keras.optimizers.legacy
ROWS = np.random.default_rng(0).normal(size=[4, 3])


class _OwnMinimize(tf.keras.optimizers.SGD):
    def minimize(self, loss, var_list, tape=None):
        super().minimize(loss, var_list, tape)


class _OwnApply(tf.keras.optimizers.SGD):
    def apply_gradients(self, grads_and_vars, name=None):
        super().apply_gradients(grads_and_vars, name)


MAKERS = {
    "sgd": lambda: tf.keras.optimizers.SGD(0.1),
    "clipped": lambda: tf.keras.optimizers.SGD(0.1, global_clipnorm=0.01),
    "lars": lambda: LARS(0.1, weight_decay=0.1),
    "scaled": lambda: tf.keras.mixed_precision.LossScaleOptimizer(
        tf.keras.optimizers.SGD(0.1, clipnorm=0.01)
    ),
    "legacy": lambda: _LEGACY.SGD(0.1, clipnorm=0.01),
    "legacy scaled": lambda: tf.keras.mixed_precision.LossScaleOptimizer(
        _LEGACY.SGD(0.1, momentum=0.9)
    ),
}
# Whose gradients are known with one replica, or never.
OWN = {"own minimize": lambda: _OwnMinimize(0.1), "own apply": lambda: _OwnApply(0.1)}


def _step(take, strategy, name):
    """Weights after two steps on all rows, and the norms of both."""
    with strategy.scope():
        weights = tf.Variable([1.0, -2.0, 0.5], name="kernel")
        bias = tf.Variable([0.1], name="bias")
        unused = tf.Variable([7.0], name="unused")
        optimizer = {**MAKERS, **OWN}[name]()
        if hasattr(optimizer, "build"):
            optimizer.build([weights, bias, unused])

    def step(rows):
        rows = tf.cast(rows, tf.float32)
        with tf.GradientTape() as tape:
            errors = tf.square(tf.linalg.matvec(rows, weights) + bias - 1.0)
            loss = tf.reduce_sum(errors) / len(ROWS)
        norm = take(optimizer, loss, [weights, bias, unused], tape)
        return tf.constant(-1.0) if norm is None else norm

    @tf.function
    def train(rows):
        return strategy.run(step, args=(rows,))

    data = tf.data.Dataset.from_tensors(ROWS).unbatch().batch(len(ROWS)).repeat(2)
    norms = []
    for rows in strategy.experimental_distribute_dataset(data):
        local = strategy.experimental_local_results(train(rows))
        norms.append([float(norm) for norm in local])
    return weights.numpy(), bias.numpy(), norms


def _by_keras(optimizer, loss, variables, tape):
    optimizer.minimize(loss, variables, tape=tape)


def _both(strategy, name):
    return _step(minimize, strategy, name), _step(_by_keras, strategy, name)


def _norm_of_the_first_step():
    weights, bias = np.array([1.0, -2.0, 0.5]), 0.1
    errors = ROWS @ weights + bias - 1.0
    gradient = [*(2 * errors @ ROWS / len(ROWS)), 2 * errors.mean()]
    return np.linalg.norm(gradient)


@pytest.mark.parametrize("name", MAKERS)
def test_alone_the_step_is_keras_own_and_the_norm_is_known(name):
    ours, keras = _both(tf.distribute.get_strategy(), name)
    np.testing.assert_array_equal(ours[0], keras[0])
    np.testing.assert_array_equal(ours[1], keras[1])
    assert ours[2][0] == pytest.approx([_norm_of_the_first_step()], rel=1e-5)


@pytest.mark.xdist_group("replicas 2")
@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "lars",
        pytest.param("scaled", marks=pytest.mark.exhaustive),
        pytest.param("legacy", marks=pytest.mark.exhaustive),
        pytest.param("sgd", marks=pytest.mark.exhaustive),
        pytest.param("clipped", marks=pytest.mark.exhaustive),
        pytest.param("legacy scaled", marks=pytest.mark.exhaustive),
    ],
)
def test_on_replicas_the_norm_is_that_of_the_whole_batch(replicas, name):
    ours, keras = replicas(2).run(_both, name=name)
    np.testing.assert_array_equal(ours[0], keras[0])
    np.testing.assert_array_equal(ours[1], keras[1])
    assert ours[2][0] == pytest.approx([_norm_of_the_first_step()] * 2, rel=1e-5)
    alone = _step(minimize, tf.distribute.get_strategy(), name)
    np.testing.assert_allclose(ours[0], alone[0], rtol=1e-5)


@pytest.mark.xdist_group("replicas 2")
@pytest.mark.parametrize("name", OWN)
def test_an_optimizer_with_its_own_way_keeps_it_and_tells_no_norm(replicas, name):
    ours, keras = replicas(2).run(_both, name=name)
    np.testing.assert_array_equal(ours[0], keras[0])
    assert ours[2] == [[-1.0, -1.0]] * 2


def _built_outside(strategy):
    with strategy.scope():
        weights = tf.Variable([1.0, 2.0])
        optimizer = LARS(0.1)
    optimizer.build([weights])

    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(weights)
        minimize(optimizer, loss, [weights], tape)

    with pytest.raises(UserError) as caught:
        strategy.run(tf.function(step))
    return str(caught.value)


@pytest.mark.xdist_group("replicas 2")
def test_slots_that_replicas_would_share_are_refused(replicas):
    """Each would move them again, and weights would drift apart without a word."""
    told = replicas(2).run(_built_outside)
    assert "made outside the strategy's scope" in told
    assert "with strategy.scope()" in told


def test_rows_of_a_table_that_occur_twice_are_added_before_they_are_squared():
    gradient = tf.IndexedSlices(tf.constant([[3.0], [1.0]]), [1, 1], [2, 1])
    with_others = [gradient, tf.constant([3.0])]
    assert float(global_norm(with_others)) == pytest.approx(5.0)
