"""Row-wise logsumexp of all similarities among unit vectors, each computed once."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from simclr_tf.loss.tiled_logsumexp import RowStatistics
from simclr_tf.loss.tiling import Tiling

# exp spans this much in float32 before the far end is lost to underflow.
_SPAN = 80.0


def is_bounded(temperature: float) -> bool:
    """Whether `symmetric_logsumexp` can take unit vectors at a temperature."""
    return 2.0 / temperature <= _SPAN


def symmetric_logsumexp(
    units: tf.Tensor, temperature: float, block_size: int, *, metrics: bool = True
) -> RowStatistics:
    """`tiled_logsumexp` of `units @ units^T / temperature`, at half the work.

    The matrix is symmetric: a tile of `block_size^2` similarities serves its rows and
    its columns, forward and backward, and its mirror image is never computed. Since
    similarities of unit vectors are bounded, their exponentials need no running
    maximum.

    Args:
      units: floating point `[2n, d]`, rows of length 1 at most; the positive of row i
        is row i + n, and the other way round.
      temperature: for which `is_bounded`.
      block_size: rows and columns a tile, >= 1.
      metrics: whether to compute more than the logsumexp; the rest is 0 without.
    """
    count = units.shape[0] or tf.shape(units)[0]
    half = count // 2
    tiling = Tiling.of(count, block_size)
    _, tiles, block = tiling
    dtype = units.dtype
    top = tf.constant(1.0 / temperature, dtype)
    lowest = dtype.min
    valid = tiling.cut(tf.ones([count, 1], dtype))

    def part(rows: tf.Tensor, i: tf.Tensor) -> tf.Tensor:
        return tf.slice(rows, [i, 0, 0], [1, block, tf.shape(rows)[2]])[0]

    def logits(parts: tf.Tensor, i: tf.Tensor, j: tf.Tensor) -> tf.Tensor:
        """Of a tile, an image's similarity to itself left out."""
        made = tf.matmul(part(parts, i) / temperature, part(parts, j), transpose_b=True)
        return tf.cond(
            i == j,
            lambda: tf.linalg.set_diag(made, tf.fill([block], lowest)),
            lambda: made,
        )

    def contest(made: tf.Tensor, i: tf.Tensor, j: tf.Tensor) -> list[tf.Tensor]:
        """Highest logits of positives and of rivals, of a tile's rows and columns."""

        def highest(values: tf.Tensor) -> tf.Tensor:
            both = [tf.reduce_max(values, axis=1), tf.reduce_max(values, axis=0)]
            return tf.stack(both)[..., None]

        def told_apart() -> list[tf.Tensor]:
            rows = i * block + tf.range(block)[:, None]
            columns = j * block + tf.range(block)[None, :]
            inside = (rows < count) & (columns < count)
            positive = (rows + half == columns) & inside
            rival = (rows + half != columns) & inside
            # Of a tile on the diagonal rows and columns are the same images.
            positive |= (columns + half == rows) & inside
            rival &= columns + half != rows
            return [
                highest(tf.where(positive, made, lowest)),
                highest(tf.where(rival, made, lowest)),
            ]

        meets_positives = tf.abs((j - i) * block - half) < block
        return tf.cond(
            meets_positives | (j == tiles - 1),
            told_apart,
            lambda: [tf.fill([2, block, 1], lowest), highest(made)],
        )

    def add(
        sums: tf.Tensor, i: tf.Tensor, j: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor
    ) -> tf.Tensor:
        """What a tile gives its rows and, unless they are the same, its columns."""
        columns = tf.where(i == j, tf.zeros_like(columns), columns)
        return tf.tensor_scatter_nd_add(sums, [[i], [j]], tf.stack([rows, columns]))

    def over_tiles(
        step: Callable[..., tuple[tf.Tensor, ...]], *start: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        """Runs a step for each tile on and above the diagonal."""

        def body(i: tf.Tensor, j: tf.Tensor, *state: tf.Tensor) -> tuple:
            state = step(i, j, *state)
            turn = j + 1 == tiles
            return tf.where(turn, i + 1, i), tf.where(turn, i + 1, j + 1), *state

        _, _, *state = tf.while_loop(
            lambda i, *_: i < tiles, body, (0, 0, *start), parallel_iterations=1
        )
        return tuple(state)

    def sums(weight: tf.Tensor, i: tf.Tensor, j: tf.Tensor) -> list[tf.Tensor]:
        """A tile's sums over its columns and over its rows."""
        return [
            tf.matmul(weight, part(valid, j)),
            tf.matmul(weight, part(valid, i), transpose_a=True),
        ]

    def statistics(parts: tf.Tensor) -> tuple[tf.Tensor, ...]:
        def step(
            i: tf.Tensor, j: tf.Tensor, total: tf.Tensor, *others: tf.Tensor
        ) -> tuple[tf.Tensor, ...]:
            made = logits(parts, i, j)
            weight = tf.exp(made - top)
            total = add(total, i, j, *sums(weight, i, j))
            if not metrics:
                return total, *others
            moment, positive, rival = others
            # What is left out weighs 0.
            moment = add(moment, i, j, *sums(weight * made, i, j))
            mine, theirs = contest(made, i, j)
            positive = tf.tensor_scatter_nd_max(positive, [[i], [j]], mine)
            rival = tf.tensor_scatter_nd_max(rival, [[i], [j]], theirs)
            return total, moment, positive, rival

        zeros = tf.zeros([tiles, block, 1], dtype)
        floor = zeros + lowest
        total, moment, *rest = over_tiles(step, zeros, zeros, floor, floor)
        return total, moment / total, *rest

    def flat(tiles: tf.Tensor) -> tf.Tensor:
        return tiling.join(tiles)[:, 0]

    @tf.custom_gradient
    def run(units: tf.Tensor) -> tuple:
        parts = tiling.cut(units)
        total, *others = statistics(parts)

        def gradient(upstream: tf.Tensor, *_: tf.Tensor) -> tf.Tensor:
            share = tiling.cut(upstream[:, None]) / total

            def step(i: tf.Tensor, j: tf.Tensor, sums: tf.Tensor) -> tuple[tf.Tensor]:
                weight = tf.exp(logits(parts, i, j) - top)
                weight *= part(share, i) + tf.transpose(part(share, j))
                rows = tf.matmul(weight, part(parts, j))
                columns = tf.matmul(weight, part(parts, i), transpose_a=True)
                return (add(sums, i, j, rows, columns),)

            (sums,) = over_tiles(step, tf.zeros_like(parts))
            return tiling.join(sums) / temperature

        logsumexp = top + tf.math.log(flat(total))
        return (logsumexp, *map(flat, others)), gradient

    logsumexp, *others = run(units)
    expectation, positive, rival = map(tf.stop_gradient, others)
    return RowStatistics(logsumexp, positive, rival, expectation)
