"""Cutting rows into tiles of equal size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf


class Tiling(NamedTuple):
    """How rows are cut into as few tiles as can be, all of one size.

    Zeros pad the last tile. Each field is an int, or an int32 scalar if the number of
    rows is not known before the graph runs.
    """

    rows: int | tf.Tensor
    tiles: int | tf.Tensor
    block: int | tf.Tensor  # rows a tile

    @classmethod
    def of(cls, rows: int | tf.Tensor, block_size: int) -> Tiling:
        """Of this many rows, in tiles of `block_size` rows at most."""
        tiles = -(-rows // block_size)
        return cls(rows, tiles, -(-rows // tiles))

    def cut(self, values: tf.Tensor) -> tf.Tensor:
        """`[rows, …]` to `[tiles, block, …]`."""
        rest = values.shape[1:].as_list()
        padding = self.tiles * self.block - self.rows
        values = tf.pad(values, [[0, padding]] + [[0, 0]] * len(rest))
        return tf.reshape(values, [self.tiles, self.block, *rest])

    def join(self, tiles: tf.Tensor) -> tf.Tensor:
        """`[tiles, block, …]` to `[rows, …]`."""
        rest = tiles.shape[2:].as_list()
        return tf.reshape(tiles, [self.tiles * self.block, *rest])[: self.rows]

    def array(self, dtype: tf.DType, rest: Sequence[int] = ()) -> tf.TensorArray:
        """An empty array that takes the tiles, `[block, …]` each."""
        block = self.block if isinstance(self.block, int) else None
        return tf.TensorArray(dtype, self.tiles, element_shape=[block, *rest])
