"""Row-wise logsumexp of a product of matrices that is never held whole."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


class RowStatistics(NamedTuple):
    """Of each row of logits, its own column left out; `[m]` each.

    The logsumexp has a gradient. The rest is for metrics and has none: the
    positive's logit, the largest other logit, and the logits' mean under the
    row's softmax.
    """

    logsumexp: tf.Tensor
    positive: tf.Tensor
    rival: tf.Tensor
    expectation: tf.Tensor


def tiled_logsumexp(
    rows: tf.Tensor,
    columns: tf.Tensor,
    own: tf.Tensor,
    positive: tf.Tensor,
    block_size: int,
) -> RowStatistics:
    """Statistics of `rows @ columns^T`, `block_size` columns at a time.

    Memory is `m x block_size` forward and backward: the backward pass makes each
    tile again from the rows' logsumexp.

    Args:
      rows: floating point `[m, d]`.
      columns: `[k, d]`.
      own: int32 `[m]`, the column that each row leaves out.
      positive: int32 `[m]`, the column of each row's positive.
      block_size: columns a tile, >= 1.
    """
    count = tf.shape(columns)[0]
    block = tf.minimum(block_size, count)
    tiles = (count + block - 1) // block
    lowest = rows.dtype.min

    def tile(
        rows: tf.Tensor, columns: tf.Tensor, index: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Logits of one tile, the columns in it, and which are new there."""
        # The last tile slides back to stay inside; what it repeats is masked.
        begin = tf.minimum(index * block, count - block)
        place = begin + tf.range(block)
        part = tf.gather(columns, place)
        fresh = place >= index * block
        seen = fresh[None, :] & (place[None, :] != own[:, None])
        logits = tf.matmul(rows, part, transpose_b=True)
        return tf.where(seen, logits, lowest), part, place

    def statistics(rows: tf.Tensor, columns: tf.Tensor) -> tuple[tf.Tensor, ...]:
        def step(
            index: tf.Tensor,
            largest: tf.Tensor,
            total: tf.Tensor,
            moment: tf.Tensor,
            chosen: tf.Tensor,
            rival: tf.Tensor,
        ) -> tuple[tf.Tensor, ...]:
            logits, _, place = tile(rows, columns, index)
            new = tf.maximum(largest, tf.reduce_max(logits, axis=1))
            weight = tf.exp(logits - new[:, None])
            old = tf.exp(largest - new)
            total = total * old + tf.reduce_sum(weight, axis=1)
            finite = tf.where(logits > lowest, logits, 0.0)
            moment = moment * old + tf.reduce_sum(weight * finite, axis=1)
            is_positive = place[None, :] == positive[:, None]
            mine = tf.reduce_max(tf.where(is_positive, logits, lowest), axis=1)
            others = tf.reduce_max(tf.where(is_positive, lowest, logits), axis=1)
            chosen, rival = tf.maximum(chosen, mine), tf.maximum(rival, others)
            return index + 1, new, total, moment, chosen, rival

        zeros = tf.zeros_like(rows[:, 0])
        floor = tf.fill(tf.shape(zeros), lowest)
        _, largest, total, moment, chosen, rival = tf.while_loop(
            lambda index, *_: index < tiles,
            step,
            (0, floor, zeros, zeros, floor, floor),
        )
        return largest + tf.math.log(total), chosen, rival, moment / total

    @tf.custom_gradient
    def run(rows: tf.Tensor, columns: tf.Tensor) -> tuple:
        values = statistics(rows, columns)
        logsumexp = values[0]

        def gradient(upstream: tf.Tensor, *_: tf.Tensor) -> tuple:
            def step(
                index: tf.Tensor, d_rows: tf.Tensor, d_columns: tf.Tensor
            ) -> tuple[tf.Tensor, ...]:
                logits, part, place = tile(rows, columns, index)
                weight = tf.exp(logits - logsumexp[:, None]) * upstream[:, None]
                d_rows += tf.matmul(weight, part)
                d_part = tf.matmul(weight, rows, transpose_a=True)
                d_columns = tf.tensor_scatter_nd_add(d_columns, place[:, None], d_part)
                return index + 1, d_rows, d_columns

            _, d_rows, d_columns = tf.while_loop(
                lambda index, *_: index < tiles,
                step,
                (0, tf.zeros_like(rows), tf.zeros_like(columns)),
            )
            return d_rows, d_columns

        return values, gradient

    logsumexp, *others = run(rows, columns)
    return RowStatistics(logsumexp, *map(tf.stop_gradient, others))
