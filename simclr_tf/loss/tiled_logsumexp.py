"""Row-wise logsumexp of a product of matrices that is never held whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from simclr_tf.loss.tiling import Tiling


class RowStatistics(NamedTuple):
    """Of each row of logits, its own column left out; `[m]` each.

    The logsumexp has a gradient. The rest is for metrics and has none: the
    largest logit of a positive, the largest of a negative, and the logits' mean under
    the row's softmax.
    """

    logsumexp: tf.Tensor
    positive: tf.Tensor
    hardest_negative: tf.Tensor
    expectation: tf.Tensor

    def accuracy(self) -> tf.Tensor:
        """Share of rows one of whose positives outranks all negatives, a scalar."""
        wins = self.positive > self.hardest_negative
        return tf.reduce_mean(tf.cast(wins, self.logsumexp.dtype))

    def entropy(self) -> tf.Tensor:
        """Mean entropy of the rows' softmax, in nats, a scalar without gradient."""
        return tf.reduce_mean(tf.stop_gradient(self.logsumexp) - self.expectation)


def tiled_logsumexp(
    rows: tf.Tensor,
    columns: tf.Tensor,
    own: tf.Tensor,
    ids: tuple[tf.Tensor, tf.Tensor],
    block_size: int,
    *,
    negatives_alone: bool = False,
    metrics: bool = True,
) -> RowStatistics:
    """Statistics of `rows @ columns^T`, a tile of `block_size^2` logits at a time.

    Only a few tiles are held at once: the backward pass computes each of them again
    from the rows' logsumexp.

    Args:
      rows: floating point `[m, d]`.
      columns: `[k, d]`.
      own: int32 `[m]`, the column that each row leaves out.
      ids: int32 `[m]` and `[k]`; the columns of a row's id are its positives.
      block_size: most rows and columns a tile, >= 1.
      negatives_alone: whether positives are left out of logsumexp and mean.
      metrics: whether to compute more than the logsumexp; the rest is 0 without.
    """
    height, width = (each.shape[0] or tf.shape(each)[0] for each in (rows, columns))
    across, down = Tiling.of(width, block_size), Tiling.of(height, block_size)
    # Rows that pad the last tile get column -1, which no column is.
    own = down.cut(own + 1) - 1
    row_ids, column_ids = down.cut(ids[0]), across.cut(ids[1])

    @tf.custom_gradient
    def run(rows: tf.Tensor, columns: tf.Tensor) -> tuple:
        tiles = _Tiles(
            down.cut(rows),
            across.cut(columns),
            own,
            row_ids,
            column_ids,
            negatives_alone,
            down,
            across,
        )
        values = [down.join(each) for each in _all_rows(tiles, metrics)]

        def gradient(upstream: tf.Tensor, *_: tf.Tensor) -> tuple:
            d_rows, d_columns = _gradients(
                tiles, down.cut(values[0]), down.cut(upstream)
            )
            return down.join(d_rows), across.join(d_columns)

        return tuple(values), gradient

    logsumexp, *others = run(rows, columns)
    return RowStatistics(logsumexp, *map(tf.stop_gradient, others))


class _Tiles(NamedTuple):
    """Rows and columns, cut into tiles; i counts tiles of rows and j of columns."""

    rows: tf.Tensor
    columns: tf.Tensor
    own: tf.Tensor
    row_ids: tf.Tensor
    column_ids: tf.Tensor
    negatives_alone: bool
    down: Tiling
    across: Tiling

    def positives(self, i: tf.Tensor, j: tf.Tensor) -> tf.Tensor:
        """Which columns of a tile are positives of its rows, or the rows themselves."""
        columns = tf.gather(self.column_ids, j)[None, :]
        return tf.gather(self.row_ids, i)[:, None] == columns

    def terms(self, i: tf.Tensor, j: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Of a tile's logits those that are summed; the lowest number for others."""
        if not self.negatives_alone:
            return logits
        return tf.where(self.positives(i, j), logits.dtype.min, logits)

    def logits(self, i: tf.Tensor, j: tf.Tensor) -> tf.Tensor:
        """A tile's logits; the lowest number where a row leaves a column out."""
        rows, columns = tf.gather(self.rows, i), tf.gather(self.columns, j)
        index = (j * self.across.block + tf.range(self.across.block))[None, :]
        counts = (index < self.across.rows) & (index != tf.gather(self.own, i)[:, None])
        logits = tf.matmul(rows, columns, transpose_b=True)
        return tf.where(counts, logits, rows.dtype.min)


def _all_rows(tiles: _Tiles, metrics: bool) -> list[tf.Tensor]:
    """Logsumexp, positive, hardest negative and expectation, cut into tiles."""
    down = tiles.down

    def step(i: tf.Tensor, *arrays: tf.TensorArray) -> tuple:
        values = _one_tile_of_rows(tiles, i, metrics)
        return i + 1, *(each.write(i, x) for each, x in zip(arrays, values))

    arrays = [down.array(tiles.rows.dtype) for _ in range(4)]
    _, *arrays = _loop(down.tiles, step, (0, *arrays))
    return [each.stack() for each in arrays]


def _one_tile_of_rows(
    tiles: _Tiles, i: tf.Tensor, metrics: bool
) -> tuple[tf.Tensor, ...]:
    """What `_all_rows` returns, for tile i of the rows: a running softmax."""
    dtype = tiles.rows.dtype
    lowest = dtype.min

    def step(
        j: tf.Tensor,
        largest: tf.Tensor,
        total: tf.Tensor,
        moment: tf.Tensor,
        positive: tf.Tensor,
        negative: tf.Tensor,
    ) -> tuple[tf.Tensor, ...]:
        logits = tiles.logits(i, j)
        terms = tiles.terms(i, j, logits)
        new = tf.maximum(largest, tf.reduce_max(terms, axis=1))
        weight = tf.exp(terms - new[:, None])
        old = tf.exp(largest - new)
        total = total * old + tf.reduce_sum(weight, axis=1)
        if metrics:
            finite = tf.where(terms > lowest, terms, 0.0)
            moment = moment * old + tf.reduce_sum(weight * finite, axis=1)
            match = tiles.positives(i, j)
            found = tf.reduce_max(tf.where(match, logits, lowest), axis=1)
            others = tf.reduce_max(tf.where(match, lowest, logits), axis=1)
            positive = tf.maximum(positive, found)
            negative = tf.maximum(negative, others)
        return j + 1, new, total, moment, positive, negative

    zeros = tf.zeros([tiles.down.block], dtype)
    floor = tf.fill([tiles.down.block], lowest)
    start = (0, floor, zeros, zeros, floor, floor)
    _, largest, total, moment, positive, negative = _loop(
        tiles.across.tiles, step, start
    )
    return largest + tf.math.log(total), positive, negative, moment / total


def _gradients(
    tiles: _Tiles, logsumexp: tf.Tensor, upstream: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Gradients of tiles of rows and of columns.

    Args:
      tiles: of the forward pass.
      logsumexp: of its rows, `[tiles, block]`.
      upstream: its gradient.
    """
    down = tiles.down

    def row_step(i: tf.Tensor, array: tf.TensorArray, d_columns: tf.Tensor) -> tuple:
        rows = tf.gather(tiles.rows, i)
        offset, share = (tf.gather(each, i)[:, None] for each in (logsumexp, upstream))

        def step(
            j: tf.Tensor, d_rows: tf.Tensor, d_columns: tf.Tensor
        ) -> tuple[tf.Tensor, ...]:
            terms = tiles.terms(i, j, tiles.logits(i, j))
            weight = tf.exp(terms - offset) * share
            d_rows += tf.matmul(weight, tf.gather(tiles.columns, j))
            d_tile = tf.matmul(weight, rows, transpose_a=True)
            d_columns = tf.tensor_scatter_nd_add(d_columns, [[j]], d_tile[None])
            return j + 1, d_rows, d_columns

        start = (0, tf.zeros_like(rows), d_columns)
        _, d_rows, d_columns = _loop(tiles.across.tiles, step, start)
        return i + 1, array.write(i, d_rows), d_columns

    array = down.array(tiles.rows.dtype, tiles.rows.shape[2:])
    start = (0, array, tf.zeros_like(tiles.columns))
    _, array, d_columns = _loop(down.tiles, row_step, start)
    return array.stack(), d_columns


def _loop(count: int | tf.Tensor, step: Callable[..., tuple], start: tuple) -> tuple:
    """Repeats a step while the first item of its state, a counter, is below `count`."""
    return tf.while_loop(
        lambda index, *_: index < count, step, start, parallel_iterations=1
    )
