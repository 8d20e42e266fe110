"""What replicas send one another for batch norm, counted in a TPU's traced step."""

import pytest
import tensorflow as tf

from simclr_tf.encoder import SyncBatchNormalization
from simclr_tf.tpu_check.fake_tpu import replica_step, tpu_strategy

pytestmark = pytest.mark.skipif(
    not tf.__version__.startswith("2.15."), reason="needs TensorFlow 2.15"
)
CHANNELS = 96


def _sent(replicas):
    """The numbers that each collective of a training step sends from a replica."""
    strategy = tpu_strategy(replicas)
    with strategy.scope():
        layer = SyncBatchNormalization()
        layer.build([2, 3, 3, CHANNELS])

    def step(images):
        with tf.GradientTape() as tape:
            tape.watch(images)
            loss = tf.reduce_sum(layer(images, training=True) ** 3)
        return tape.gradient(loss, images)

    images = tf.TensorSpec([2, 3, 3, CHANNELS], tf.float32)
    traced = replica_step(strategy, step).get_concrete_function(images).graph
    operations = traced.get_operations()
    assert not traced.as_graph_def().library.function  # Nothing is hidden in a call.
    sums = [each for each in operations if each.type == "CrossReplicaSum"]
    return sorted(each.outputs[0].shape.num_elements() for each in sums)


@pytest.mark.parametrize("replicas", [5, 128])
def test_above_four_replicas_each_way_sends_two_sums_of_the_channels(replicas):
    """The mean, with a count of each replica beside it, and the second moment."""
    with_counts = CHANNELS + replicas
    assert _sent(replicas) == [CHANNELS, CHANNELS, with_counts, with_counts]


def test_up_to_four_replicas_each_way_sends_all_moments_at_once():
    assert _sent(4) == [4 * 2 * (CHANNELS + 1)] * 2
