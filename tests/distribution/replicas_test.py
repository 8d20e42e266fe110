"""Replicas gather in their order, and unequal shares are refused, not waited for."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.distribution import replicas

_PARTS = {
    "gather": """
@tf.function
def step(x):
    def one(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            gathered = replicas.gather(x)
            place = tf.cast(replicas.replica_index(), x.dtype)
            loss = (place + 1.0) * tf.reduce_sum(weights * gathered)
        return gathered, tape.gradient(loss, x), replicas.replica_index()
    return strategy.run(one, args=(x,))

parts = np.arange(24.0).reshape(4, 2, 3)
weights = tf.constant(np.random.default_rng(0).normal(size=(4, 2, 3)))
x = strategy.experimental_distribute_values_from_function(
    lambda context: tf.constant(parts[context.replica_id_in_sync_group]))
gathered, gradients, places = map(strategy.experimental_local_results, step(x))
assert [int(place) for place in places] == [0, 1, 2, 3]
for place in range(4):
    np.testing.assert_array_equal(gathered[place], parts)
    # The gradient of the sum of all replicas' losses: 1 + 2 + 3 + 4 of them.
    np.testing.assert_allclose(gradients[place], 10.0 * weights[place], rtol=1e-12)
""",
    "loss": """
z_a, z_b = np.random.default_rng(0).normal(size=[2, 4, 6, 8])

def compare(z_a, z_b, block_size):
    with tf.GradientTape() as tape:
        tape.watch([z_a, z_b])
        loss = simclr_tf.nt_xent(z_a, z_b, block_size=block_size)
    return loss, tape.gradient(loss, [z_a, z_b])

whole = compare(*[tf.constant(z.reshape(24, 8)) for z in (z_a, z_b)], 24 * 2)
shares = [
    strategy.experimental_distribute_values_from_function(
        lambda context, z=z: tf.constant(z[context.replica_id_in_sync_group]))
    for z in (z_a, z_b)
]
for block_size in (None, 5):
    step = tf.function(
        lambda *z: strategy.run(compare, args=(*z, block_size)), autograph=False)
    loss, gradients = step(*shares)
    losses = strategy.experimental_local_results(loss)
    np.testing.assert_allclose(np.mean(losses), whole[0], rtol=1e-12)
    for ours, theirs in zip(gradients, whole[1]):
        ours = np.concatenate(strategy.experimental_local_results(ours))
        # Of the sum of four losses, whose mean is the whole's.
        np.testing.assert_allclose(ours / 4, theirs, atol=1e-14)
""",
    "fit": """
images = np.random.default_rng(0).integers(0, 256, [32, 16, 16, 3], np.uint8)
with strategy.scope():
    model = simclr_tf.SimCLR(
        tf.keras.Sequential([
            tf.keras.layers.Conv2D(8, 3, 2),
            simclr_tf.SyncBatchNormalization(),
            tf.keras.layers.ReLU(),
        ]),
        simclr_tf.ProjectionHead(num_layers=1, out_dim=8),
        augmenter=simclr_tf.augmentation.SimCLRAugmenter(16, blur=False),
    )
    model.compile("sgd")
dataset = tf.data.Dataset.from_tensor_slices(images)
# Sizes that are not static, yet equal.
model.fit(dataset.take(20).batch(16), verbose=0)
history = model.fit(dataset.batch(16, drop_remainder=True), verbose=0)
assert np.isfinite(history.history["loss"]).all()
# One replica is given less than the others.
try:
    model.fit(dataset.take(23).batch(16), verbose=0)
except ValueError as error:
    assert "Replicas must be given equally many images" in str(error), error
    assert "multiple of their number, 4" in str(error)
else:
    raise AssertionError("not refused")
""",
}
_BEFORE = """
import numpy as np
import tensorflow as tf
import simclr_tf
from simclr_tf.distribution import make_strategy, replicas

strategy = make_strategy(logical_devices=4)
"""


@pytest.mark.slow
@pytest.mark.parametrize("part", _PARTS)
def test_on_four_replicas(part):
    """In a process of its own, since devices are cut before their first use."""
    ran = subprocess.run(
        [sys.executable, "-c", _BEFORE + _PARTS[part]],
        capture_output=True,
        text=True,
        cwd=pathlib.Path(__file__).parent.parent.parent,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]


def test_outside_a_strategy_there_is_one_replica():
    assert replicas.num_replicas() == 1
    assert int(replicas.replica_index()) == 0
    np.testing.assert_array_equal(replicas.gather(tf.ones([2, 3]))[0], np.ones([2, 3]))
