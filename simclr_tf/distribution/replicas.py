"""Tensors of all replicas, gradients included."""

from __future__ import annotations

import tensorflow as tf

from simclr_tf.errors import UserError

_UNEQUAL = "Replicas must be given equally many images of each batch"


def num_replicas() -> int:
    """Replicas that take this step together; 1 outside a replica context."""
    context = tf.distribute.get_replica_context()
    return 1 if context is None else context.num_replicas_in_sync


def replica_index() -> tf.Tensor:
    """This replica's index, a scalar int32; 0 outside a replica context."""
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
    if num_replicas() == 1:
        return tensor[None]
    # Zero but for this replica's row: the sum over replicas is the gather.
    return sum_over_replicas(_in_own_row(tensor))


def sum_over_replicas(tensor: tf.Tensor) -> tf.Tensor:
    """The sum of all replicas' tensors, on each; gradients as those of `gather`."""
    if num_replicas() == 1:
        return tensor
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.SUM, tensor)


def gather_sizes_and_sum(
    size: tf.Tensor, values: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Sums values over replicas and gathers a number of each, in one collective.

    Args:
      size: floating point scalar.
      values: floating point `[C]`, of the same static shape on each replica.

    Returns:
      `[C]`, the sum of the values, and `[R]`, the sizes.
    """
    sizes = _in_own_row(size)
    both = sum_over_replicas(tf.concat([values, sizes], axis=0))
    return both[: -num_replicas()], both[-num_replicas() :]


def rows_of_replicas(rows: tf.Tensor) -> tf.Tensor:
    """How many rows each replica has, int64 `[R]`; replicas may have different numbers.

    It costs nothing where their number is static, and a collective of one number of
    each replica where it is not.
    """
    replicas = num_replicas()
    if rows.shape[0] is not None or replicas == 1:
        return tf.fill([replicas], tf.shape(rows, tf.int64)[0])
    # float32 has every number up to 2^24.
    return tf.cast(gather(tf.cast(tf.shape(rows)[0], tf.float32)), tf.int64)


def _in_own_row(tensor: tf.Tensor) -> tf.Tensor:
    """`[...]` to `[R, ...]`, zero but for this replica's row."""
    replicas = num_replicas()
    own = tf.one_hot(replica_index(), replicas, dtype=tensor.dtype)
    return tf.reshape(own, [replicas] + [1] * tensor.shape.rank) * tensor[None]


def require_equal_shares(sizes: tf.Tensor) -> tf.Operation:
    """Fails unless replicas hold equally many images of a global batch.

    Only then is the mean over replicas the mean over the batch. Where a replica's batch
    has a static size, as it must on TPUs, all replicas have that size.

    Args:
      sizes: floating point, one number of each replica.
    """
    sizes = tf.reshape(sizes, [-1])
    equal = tf.reduce_all((sizes == sizes[0]) & (sizes > 0))
    return tf.debugging.Assert(equal, [_UNEQUAL, sizes])


def of_equal_shares(rows: tf.Tensor) -> tf.Tensor:
    """The same rows; an error where replicas hold different numbers of them.

    It costs nothing where their number is static, and a collective of one number of
    each replica where it is not.

    Args:
      rows: floating point `[n, ...]`.
    """
    if rows.shape[0] is not None or num_replicas() == 1:
        return rows
    sizes = gather(tf.cast(tf.shape(rows)[0], rows.dtype))
    with tf.control_dependencies([require_equal_shares(sizes)]):
        return tf.identity(rows)


def explain_unequal_shares(error: tf.errors.OpError) -> None:
    """Raises UserError, saying what to do, if unequal shares were the cause.

    A replica may reach a collective with another shape before `require_equal_shares`
    has run.
    """
    if _UNEQUAL in error.message or "Shape mismatch in the collective" in error.message:
        raise UserError(
            f"{_UNEQUAL}: batch with drop_remainder=True, in batches of a multiple of "
            f"their number, {tf.distribute.get_strategy().num_replicas_in_sync}; with "
            "several hosts also repeat() the dataset and give fit steps_per_epoch, "
            "lest one run out before another."
        ) from error
