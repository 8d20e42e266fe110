"""Row-wise logsumexp of a product of matrices that is never held whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from simclr_tf.loss.tiling import Tiling


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
    *,
    metrics: bool = True,
) -> RowStatistics:
    """Statistics of `rows @ columns^T`, a tile of `block_size^2` logits at a time.

    No more than some tiles are held, forward and backward: the backward pass makes
    each again from the rows' logsumexp.

    Args:
      rows: floating point `[m, d]`.
      columns: `[k, d]`.
      own: int32 `[m]`, the column that each row leaves out.
      positive: int32 `[m]`, the column of each row's positive.
      block_size: rows and columns a tile, >= 1.
      metrics: whether to compute more than the logsumexp; the rest is 0 without.
    """
    height, width = (each.shape[0] or tf.shape(each)[0] for each in (rows, columns))
    across, down = Tiling.of(width, block_size), Tiling.of(height, block_size)
    # For the rows that fill the last tile: no column.
    own, positive = (down.cut(each + 1) - 1 for each in (own, positive))
    lowest = rows.dtype.min

    def tile(
        rows: tf.Tensor, columns: tf.Tensor, i: tf.Tensor, j: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Logits of a tile, and which columns those are."""
        place = (j * across.block + tf.range(across.block))[None, :]
        seen = (place < width) & (place != tf.gather(own, i)[:, None])
        logits = tf.matmul(tf.gather(rows, i), tf.gather(columns, j), transpose_b=True)
        return tf.where(seen, logits, lowest), place

    def statistics(rows: tf.Tensor, columns: tf.Tensor) -> list[tf.Tensor]:
        def of_tiles(i: tf.Tensor) -> tuple[tf.Tensor, ...]:
            def step(
                j: tf.Tensor,
                largest: tf.Tensor,
                total: tf.Tensor,
                moment: tf.Tensor,
                chosen: tf.Tensor,
                rival: tf.Tensor,
            ) -> tuple[tf.Tensor, ...]:
                logits, place = tile(rows, columns, i, j)
                new = tf.maximum(largest, tf.reduce_max(logits, axis=1))
                weight = tf.exp(logits - new[:, None])
                old = tf.exp(largest - new)
                total = total * old + tf.reduce_sum(weight, axis=1)
                if metrics:
                    finite = tf.where(logits > lowest, logits, 0.0)
                    moment = moment * old + tf.reduce_sum(weight * finite, axis=1)
                    mine = place == tf.gather(positive, i)[:, None]
                    theirs = tf.reduce_max(tf.where(mine, lowest, logits), axis=1)
                    mine = tf.reduce_max(tf.where(mine, logits, lowest), axis=1)
                    chosen = tf.maximum(chosen, mine)
                    rival = tf.maximum(rival, theirs)
                return j + 1, new, total, moment, chosen, rival

            zeros = tf.zeros([down.block], rows.dtype)
            floor = tf.fill([down.block], lowest)
            start = (0, floor, zeros, zeros, floor, floor)
            _, largest, total, moment, chosen, rival = _loop(across.count, step, start)
            return largest + tf.math.log(total), chosen, rival, moment / total

        def step(i: tf.Tensor, *made: tf.TensorArray) -> tuple:
            found = of_tiles(i)
            return i + 1, *(each.write(i, x) for each, x in zip(made, found))

        _, *made = _loop(
            down.count, step, (0, *(down.array(rows.dtype) for _ in range(4)))
        )
        return [down.join(each.stack()) for each in made]

    @tf.custom_gradient
    def run(rows: tf.Tensor, columns: tf.Tensor) -> tuple:
        row_tiles, column_tiles = down.cut(rows), across.cut(columns)
        values = statistics(row_tiles, column_tiles)
        logsumexp = down.cut(values[0])

        def gradient(upstream: tf.Tensor, *_: tf.Tensor) -> tuple:
            shares = down.cut(upstream)

            def row_step(
                i: tf.Tensor, made: tf.TensorArray, d_columns: tf.Tensor
            ) -> tuple:
                def step(
                    j: tf.Tensor, d_rows: tf.Tensor, d_columns: tf.Tensor
                ) -> tuple[tf.Tensor, ...]:
                    logits, _ = tile(row_tiles, column_tiles, i, j)
                    weight = tf.exp(logits - tf.gather(logsumexp, i)[:, None])
                    weight *= tf.gather(shares, i)[:, None]
                    d_rows += tf.matmul(weight, tf.gather(column_tiles, j))
                    d_part = tf.matmul(
                        weight, tf.gather(row_tiles, i), transpose_a=True
                    )
                    d_columns = tf.tensor_scatter_nd_add(d_columns, [[j]], d_part[None])
                    return j + 1, d_rows, d_columns

                start = (0, tf.zeros_like(tf.gather(row_tiles, i)), d_columns)
                _, d_rows, d_columns = _loop(across.count, step, start)
                return i + 1, made.write(i, d_rows), d_columns

            made = down.array(rows.dtype, rows.shape[1:])
            start = (0, made, tf.zeros_like(column_tiles))
            _, made, d_columns = _loop(down.count, row_step, start)
            return down.join(made.stack()), across.join(d_columns)

        return tuple(values), gradient

    logsumexp, *others = run(rows, columns)
    return RowStatistics(logsumexp, *map(tf.stop_gradient, others))


def _loop(turns: int | tf.Tensor, step: Callable[..., tuple], start: tuple) -> tuple:
    """Takes a step until the first of its state, a counter, has made its turns."""
    return tf.while_loop(
        lambda turn, *_: turn < turns, step, start, parallel_iterations=1
    )
