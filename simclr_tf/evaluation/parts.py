"""Batches encoded by all replicas, a part of each batch by each."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from simclr_tf.encoder.sync_batch_normalization import CrossReplicaBatchNormalization


def in_parts(
    represent: Callable[[tf.Tensor], tf.Tensor], strategy: tf.distribute.Strategy
) -> Callable[[tf.Tensor], tf.Tensor]:
    """`represent` that divides the rows of its argument among replicas.

    Every worker must call the result with the same tensors, and is given all rows.

    Args:
      represent: maps `[N, ...]` to `[N, D]`, each row for itself.
      strategy: the replicas.
    """
    replicas = strategy.num_replicas_in_sync
    size = 0  # Rows of a part: the last, smaller batch is padded to those before it.

    # Within a graph, since gathering outside of one traces anew each time.
    @tf.function
    def run(part: tf.distribute.DistributedValues) -> tf.Tensor:
        return strategy.gather(strategy.run(represent, args=(part,)), axis=0)

    def represent_in_parts(rows: tf.Tensor) -> tf.Tensor:
        nonlocal size
        count = len(rows)
        size = max(size, -(-count // replicas))
        padding = [[0, size * replicas - count]] + [[0, 0]] * (rows.shape.rank - 1)
        parts = tf.split(tf.pad(rows, padding), replicas)
        own = strategy.experimental_distribute_values_from_function(
            lambda context: parts[context.replica_id_in_sync_group]
        )
        return run(own)[:count]

    return represent_in_parts


def is_alike_on_replicas(model: tf.Module) -> bool:
    """Whether each replica's copy of a model gives the same representations.

    The moving averages of Keras' own batch norm are each replica's own; outside a
    replica, and in a checkpoint, one reads their mean.
    """
    global_statistics = {
        id(variable)
        for layer in model.submodules
        if isinstance(layer, CrossReplicaBatchNormalization)
        for variable in layer.variables
    }
    return not any(
        variable.synchronization == tf.VariableSynchronization.ON_READ
        and variable.aggregation == tf.VariableAggregation.MEAN
        and id(variable) not in global_statistics
        for variable in model.variables
    )
