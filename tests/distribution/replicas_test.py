"""Replicas gather in their order, and unequal shares are refused, not waited for."""

import numpy as np
import pytest
import tensorflow as tf

import simclr_tf
from simclr_tf.distribution import replicas as among

_TWO, _FOUR = (pytest.mark.xdist_group(f"replicas {count}") for count in (2, 4))


def _gathered(strategy):
    parts = np.arange(24.0).reshape(4, 2, 3)
    weights = tf.constant(np.random.default_rng(0).normal(size=(4, 2, 3)))

    @tf.function
    def step(x):
        def one(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                gathered = among.gather(x)
                place = tf.cast(among.replica_index(), x.dtype)
                loss = (place + 1.0) * tf.reduce_sum(weights * gathered)
            return gathered, tape.gradient(loss, x), among.replica_index()

        return strategy.run(one, args=(x,))

    x = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(parts[context.replica_id_in_sync_group])
    )
    results = map(strategy.experimental_local_results, step(x))
    return parts, weights.numpy(), *(np.stack(result) for result in results)


@pytest.mark.slow
@_FOUR
def test_all_replicas_hold_all_in_order_and_gradients_come_back(replicas):
    parts, weights, gathered, gradients, places = replicas(4).run(_gathered)
    assert places.tolist() == [0, 1, 2, 3]
    for place in range(4):
        np.testing.assert_array_equal(gathered[place], parts)
        # The gradient of the sum of all replicas' losses: 1 + 2 + 3 + 4 of them.
        np.testing.assert_allclose(gradients[place], 10.0 * weights[place], rtol=1e-12)


def _compare(z_a, z_b, block_size):
    with tf.GradientTape() as tape:
        tape.watch([z_a, z_b])
        loss = simclr_tf.nt_xent(z_a, z_b, block_size=block_size)
    return loss, tape.gradient(loss, [z_a, z_b])


def _losses(strategy, z, block_size):
    shares = [
        strategy.experimental_distribute_values_from_function(
            lambda context, half=half: tf.constant(
                half[context.replica_id_in_sync_group]
            )
        )
        for half in z
    ]
    step = tf.function(
        lambda *z: strategy.run(_compare, args=(*z, block_size)), autograph=False
    )
    loss, gradients = step(*shares)
    local = strategy.experimental_local_results
    return np.stack(local(loss)), [np.concatenate(local(g)) for g in gradients]


@pytest.mark.slow
@_FOUR
@pytest.mark.parametrize("block_size", [None, 5])
def test_the_loss_is_that_of_the_whole_batch(replicas, block_size):
    z = np.random.default_rng(0).normal(size=[2, 4, 6, 8])
    whole, wanted = _compare(*(tf.constant(half.reshape(24, 8)) for half in z), 24 * 2)
    losses, gradients = replicas(4).run(_losses, z=z, block_size=block_size)
    np.testing.assert_allclose(np.mean(losses), whole, rtol=1e-12)
    for ours, theirs in zip(gradients, wanted):
        # Of the sum of four losses, whose mean is the whole's.
        np.testing.assert_allclose(ours / 4, theirs, atol=1e-14)


def _fit(strategy):
    views = np.random.default_rng(0).uniform(size=[32, 2, 16, 16, 3])
    with strategy.scope():
        model = simclr_tf.SimCLR(
            tf.keras.Sequential(
                [
                    tf.keras.layers.Conv2D(8, 3, 2),
                    simclr_tf.SyncBatchNormalization(),
                    tf.keras.layers.ReLU(),
                ]
            ),
            simclr_tf.ProjectionHead(num_layers=1, out_dim=8),
        )
        model.compile("sgd")
    dataset = tf.data.Dataset.from_tensor_slices({"views": views})
    # Sizes that are not static, yet equal.
    history = model.fit(dataset.take(20).batch(16), verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    # One replica is given less than the others.
    with pytest.raises(ValueError, match="must be given equally many") as caught:
        model.fit(dataset.take(23).batch(16), verbose=0)
    return str(caught.value)


@pytest.mark.slow
@_TWO
def test_fit_takes_equal_shares_and_refuses_others(replicas):
    assert "multiple of their number, 2" in replicas(2).run(_fit)


def test_outside_a_strategy_there_is_one_replica():
    assert among.num_replicas() == 1
    assert int(among.replica_index()) == 0
    np.testing.assert_array_equal(among.gather(tf.ones([2, 3]))[0], np.ones([2, 3]))
