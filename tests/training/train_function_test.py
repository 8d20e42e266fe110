"""Several steps in one call, whose values are those of the last one."""

import pytest
import tensorflow as tf

from simclr_tf.training.train_function import make_train_function


def _sums(strategy=None):
    """The values after 1, 3 and 1 steps, on all replicas of the strategy in scope."""
    strategy = strategy or tf.distribute.get_strategy()
    traced = []

    def learn(batch):
        traced.append(None)
        batch = tf.cast(batch, tf.float64)
        return {"sum": tf.reduce_sum(batch), "first": batch[0]}

    data = tf.data.Dataset.range(60).batch(4, drop_remainder=True)
    batches = iter(strategy.experimental_distribute_dataset(data))
    train = make_train_function(learn, strategy)
    found = [train(batches, steps) for steps in (1, 3, 1)]
    values = [{name: float(value) for name, value in each.items()} for each in found]
    return values, len(traced)


def test_the_values_are_of_the_last_step_and_one_trace_serves_any_number():
    values, traces = _sums()
    assert values == [
        {"sum": 6.0, "first": 0.0},
        {"sum": 54.0, "first": 12.0},
        {"sum": 70.0, "first": 16.0},
    ]
    assert traces == 1


@pytest.mark.xdist_group("replicas 2")
def test_they_are_means_over_replicas(replicas):
    values, traces = replicas(2).run(_sums)
    assert values == [
        {"sum": 3.0, "first": 1.0},
        {"sum": 27.0, "first": 13.0},
        {"sum": 35.0, "first": 17.0},
    ]
    assert traces == 2  # One a replica.
