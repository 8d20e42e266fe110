"""Sums of rows that share an id, without the matrix of who shares with whom."""

from __future__ import annotations

import tensorflow as tf

from simclr_tf.loss.tiling import Tiling


def sums_by_id(
    ids: tf.Tensor, column_ids: tf.Tensor, values: tf.Tensor, block_size: int
) -> tf.Tensor:
    """For each id the sum of the values of that id, gradients included.

    Args:
      ids: int32 `[m]`.
      column_ids: int32 `[k]`.
      values: floating point `[k, d]`.
      block_size: most rows and columns of a tile of the `[m, k]` matrix, >= 1.

    Returns:
      `[m, d]`.
    """

    @tf.custom_gradient
    def run(values: tf.Tensor) -> tuple:
        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            return _sums(column_ids, ids, upstream, block_size)

        return _sums(ids, column_ids, values, block_size), gradient

    return run(values)


def _sums(
    ids: tf.Tensor, column_ids: tf.Tensor, values: tf.Tensor, block_size: int
) -> tf.Tensor:
    height, width = (each.shape[0] or tf.shape(each)[0] for each in (ids, column_ids))
    down, across = Tiling.of(height, block_size), Tiling.of(width, block_size)
    rows, columns = down.cut(ids), across.cut(column_ids)
    values = across.cut(values)  # Values that pad the last tile are 0.

    def one_tile_of_rows(i: tf.Tensor, array: tf.TensorArray) -> tuple:
        row = tf.gather(rows, i)[:, None]

        def add(j: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            same = tf.cast(row == tf.gather(columns, j)[None, :], values.dtype)
            return j + 1, total + tf.matmul(same, tf.gather(values, j))

        zeros = tf.zeros([down.block, values.shape[-1]], values.dtype)
        _, total = tf.while_loop(
            lambda j, _: j < across.tiles, add, (0, zeros), parallel_iterations=1
        )
        return i + 1, array.write(i, total)

    array = down.array(values.dtype, values.shape[2:])
    _, array = tf.while_loop(
        lambda i, _: i < down.tiles, one_tile_of_rows, (0, array), parallel_iterations=1
    )
    return down.join(array.stack())
