"""Tensors of all replicas, gradients included."""

from __future__ import annotations

import tensorflow as tf

_UNEQUAL = "Replicas must be given equally many images of each batch"


def num_replicas() -> int:
    """Replicas that take this step together; 1 outside a replica context."""
    context = tf.distribute.get_replica_context()
    return 1 if context is None else context.num_replicas_in_sync


def replica_index() -> tf.Tensor:
    """This replica's place among them, a scalar int32; 0 outside a replica context."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return tf.constant(0)
    # uint32 on TPU, and TPUs convert it to int32 only from uint32.
    return tf.cast(tf.cast(context.replica_id_in_sync_group, tf.uint32), tf.int32)


def gather(tensor: tf.Tensor) -> tf.Tensor:
    """Stacks a tensor over replicas, in the replicas' order.

    The gradient reaches every replica's tensor: each replica's share of the
    gradient is summed over all replicas, as the sum of the replicas' losses
    asks.

    Args:
      tensor: floating point `[...]`, of the same static shape on each replica.

    Returns:
      `[R, ...]` with R replicas; `[1, ...]` outside a replica context.
    """
    replicas = num_replicas()
    if replicas == 1:
        return tensor[None]
    mine = tf.one_hot(replica_index(), replicas, dtype=tensor.dtype)
    mine = tf.reshape(mine, [replicas] + [1] * tensor.shape.rank)
    # Zero but for this replica's row: the sum over replicas is the gather.
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.SUM, mine * tensor[None])


def require_equal_shares(sizes: tf.Tensor) -> tf.Operation:
    """Fails unless replicas hold equally many images of a global batch.

    A mean over replicas is the mean over the batch only then. Where a replica's batch
    has a static size, as on TPUs it must, all have that size.

    Args:
      sizes: `[R]`, gathered from the replicas.
    """
    equal = tf.reduce_all((sizes == sizes[0]) & (sizes > 0))
    return tf.debugging.Assert(equal, [_UNEQUAL, sizes])


def explain_unequal_shares(error: tf.errors.OpError) -> None:
    """Raises ValueError, saying what to do, where unequal shares were the cause.

    A replica may come to a collective with a shape of its own before
    `require_equal_shares` is heard.
    """
    if _UNEQUAL in error.message or "Shape mismatch in the collective" in error.message:
        raise ValueError(
            f"{_UNEQUAL}: batch with drop_remainder=True, in batches of a multiple of "
            f"their number, {tf.distribute.get_strategy().num_replicas_in_sync}; with "
            "several hosts also repeat() the dataset and give fit steps_per_epoch, "
            "lest one run out before another."
        ) from error
