"""Steps on all replicas, as one call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from simclr_tf.training.loop import Train


def make_train_function(
    learn: Callable[[Any], dict[str, tf.Tensor]], strategy: tf.distribute.Strategy
) -> Train:
    """A function that takes some steps on all replicas, given batches and how many.

    It gives the last step's values as tensors, so that Python does not wait for a
    device until it reads one.

    Args:
      learn: takes a step on a replica's share of a batch; gives scalars by name.
      strategy: of the replicas.
    """
    names: list[str] = []

    def step(batch: Any) -> tf.Tensor:
        values = learn(batch)
        names[:] = values
        return tf.stack([tf.cast(value, tf.float32) for value in values.values()])

    @tf.function
    def train(batches: Iterator[Any], steps: tf.Tensor) -> dict[str, tf.Tensor]:
        last = tf.zeros([0])
        for _ in tf.range(steps):
            tf.autograph.experimental.set_loop_options(
                shape_invariants=[(last, tf.TensorShape([None]))]
            )
            replicas = strategy.run(step, args=(next(batches),))
            replicas = strategy.experimental_local_results(replicas)
            last = tf.reduce_mean(tf.stack(replicas), axis=0)
        return {name: last[place] for place, name in enumerate(names)}

    return lambda batches, steps: train(batches, tf.constant(steps))
