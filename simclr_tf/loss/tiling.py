"""Cutting rows into even tiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf


class Tiling(NamedTuple):
    """How rows are cut: as many tiles as asked for, as even as can be.

    Zeros fill the last. Each field is an int, or an int32 scalar where the number of
    rows is not known before it runs.
    """

    rows: int | tf.Tensor
    count: int | tf.Tensor
    block: int | tf.Tensor  # rows a tile

    @classmethod
    def of(cls, rows: int | tf.Tensor, block_size: int) -> Tiling:
        """For so many rows, in tiles of `block_size` at most."""
        count = -(-rows // block_size)
        return cls(rows, count, -(-rows // count))

    def cut(self, values: tf.Tensor) -> tf.Tensor:
        """`[rows, …]` to `[count, block, …]`."""
        rest = values.shape[1:].as_list()
        filling = self.count * self.block - self.rows
        values = tf.pad(values, [[0, filling]] + [[0, 0]] * len(rest))
        return tf.reshape(values, [self.count, self.block, *rest])

    def join(self, tiles: tf.Tensor) -> tf.Tensor:
        """`[count, block, …]` to `[rows, …]`."""
        rest = tiles.shape[2:].as_list()
        return tf.reshape(tiles, [self.count * self.block, *rest])[: self.rows]

    def array(self, dtype: tf.DType, rest: Sequence[int] = ()) -> tf.TensorArray:
        """For tiles `[block, …]` to be written into, one after the other."""
        block = self.block if isinstance(self.block, int) else None
        return tf.TensorArray(dtype, self.count, element_shape=[block, *rest])
