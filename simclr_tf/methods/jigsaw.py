"""Jigsaw: the encoder tells in which order nine pieces of an image were shuffled."""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.errors import UserError
from simclr_tf.methods.pretext import Pretext

_GRID = 3
_PIECES = _GRID**2
# The published pieces are 64 pixels of cells of 75; what is left makes the gaps.
_SHARE_OF_CELL = 64 / 75
# Streams of an image's seeds that no augmentation draws from.
_PLACES, _ORDER = 1001, 1002


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class JigsawMethod(Pretext):
    """Solving jigsaw puzzles (Noroozi & Favaro 2016).

    One augmented view of each image is cut into three by three cells; each gives a
    piece from a place drawn within it, so that pieces have gaps between them, and each
    piece has its own mean and deviation removed, channel by channel: neither edges
    that continue nor colours that agree solve the puzzle. The encoder sees the pieces
    one by one; the head tells from all nine which of a set of permutations they were
    put in. The set is chosen by Hamming distance (that paper's algorithm 1).

    On purpose unlike the paper: normalised pieces lie about 0.5 with a deviation of a
    quarter, since encoders here take images in [0, 1]; and views are augmented as
    SimCLR's are, so that methods differ in what they learn from alone.

    Args:
      permutations: size of the set, 2 to 1,000; 64, 100 and 1,000 are published.

    Raises:
      UserError: where the size is out of its range.
    """

    drawn = 1
    num_views = _PIECES
    measures = ("jigsaw_loss", "jigsaw_accuracy")
    shown: ClassVar = {"jigsaw loss": "jigsaw_loss", "acc": "jigsaw_accuracy"}
    draws = True
    resizes = True
    least_side = 12  # Smaller cells are as large as their pieces.
    needs_squares = True

    def __init__(self, permutations: int = 64) -> None:
        if not 2 <= permutations <= 1000:
            raise UserError(f"permutations must be 2 to 1,000, got {permutations}.")
        self.permutations = permutations

    def chance(self, images: int, num_classes: int | None) -> dict[str, float]:
        """Of a guess."""
        del images, num_classes
        return {
            "jigsaw_loss": math.log(self.permutations),
            "jigsaw_accuracy": 1.0 / self.permutations,
        }

    def make_head(
        self, *, layers: int, hidden_dim: int | None, out_dim: int
    ) -> tf.keras.Sequential:
        """A layer of `hidden_dim`, 512 where None, and a linear classifier.

        `layers` and `out_dim` are those of projection heads, and not its.
        """
        dense = functools.partial(
            tf.keras.layers.Dense, dtype=tf.keras.backend.floatx()
        )
        hidden = dense(hidden_dim or 512, activation="relu", name="hidden")
        return tf.keras.Sequential(
            [hidden, dense(self.permutations, name="order")], name="jigsaw_head"
        )

    def arrange(self, views: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
        image, side = views[:, 0], views.shape[2]
        if views.shape[3] != side:
            raise UserError(
                f"jigsaw cuts square views, got views of shape {views.shape[2:]}."
            )
        if side < self.least_side:
            raise UserError(
                f"jigsaw needs views of {self.least_side} px or more, for pieces with "
                f"gaps between them, got {side}."
            )
        cell = side // _GRID
        piece = round(cell * _SHARE_OF_CELL)
        shift = _draw(seeds, _PLACES, 2 * _PIECES, cell - piece + 1)
        shift = tf.reshape(shift, [-1, _PIECES, 2])
        pieces = []
        for place in range(_PIECES):
            corner = [cell * index for index in divmod(place, _GRID)]
            part = image
            for axis in (0, 1):
                pixels = corner[axis] + shift[:, place, axis, None] + tf.range(piece)
                part = tf.gather(part, pixels, axis=axis + 1, batch_dims=1)
            pieces.append(part)
        order = tf.gather(permutations_far_apart(self.permutations), self._drawn(seeds))
        pieces = tf.gather(tf.stack(pieces, axis=1), order, axis=1, batch_dims=1)
        return _normalized(pieces)

    def _drawn(self, seeds: tf.Tensor) -> tf.Tensor:
        """Which permutation the pieces of each image are put in, int32 `[n]`."""
        return _draw(seeds, _ORDER, 1, self.permutations)[:, 0]

    def project(
        self, head: tf.keras.layers.Layer, features: tf.Tensor, *, training: bool
    ) -> tf.Tensor:
        """The nine representations of an image, `[n, 9 D]`, through the head."""
        width = features.shape[-1]
        pieces = tf.reshape(features, [_PIECES, -1, width])
        side_by_side = tf.reshape(
            tf.transpose(pieces, [1, 0, 2]), [-1, _PIECES * width]
        )
        return head(side_by_side, training=training)

    def objective(
        self, projections: tf.Tensor, labels: tf.Tensor | None, seeds: tf.Tensor | None
    ) -> dict[str, tf.Tensor]:
        assert seeds is not None
        return self.classification(projections, self._drawn(seeds))

    def get_config(self) -> dict[str, Any]:
        return {"permutations": self.permutations}


def _draw(seeds: tf.Tensor, stream: int, count: int, below: int) -> tf.Tensor:
    """Whole numbers 0 to `below` - 1, int32 `[n, count]`, from seeds `[n, 2]`."""
    places = tf.range(count)
    drawn = randomness.fold_in(
        randomness.fold_in(seeds, stream)[:, None, :], places[None, :]
    )
    return tf.math.floormod(drawn[..., 0], below)


def _normalized(pieces: tf.Tensor) -> tf.Tensor:
    """Each piece and channel with mean 0.5 and deviation 0.25, as an image."""
    mean, variance = tf.nn.moments(pieces, axes=[2, 3], keepdims=True)
    pieces = 0.5 + 0.25 * (pieces - mean) * tf.math.rsqrt(variance + 1e-5)
    return tf.clip_by_value(pieces, -0.5, 1.5)  # What passes for an image's values.


@functools.lru_cache
def permutations_far_apart(count: int) -> np.ndarray:
    """Permutations of nine pieces, int32 `[count, 9]`, far from one another.

    Each next one is the farthest, in mean Hamming distance, from those before it.
    """
    every = np.array(list(itertools.permutations(range(_PIECES))), np.int8)
    chosen = [0]
    total = np.zeros(len(every), np.int64)
    while len(chosen) < count:
        total += (every != every[chosen[-1]]).sum(axis=1)
        left = np.where(np.isin(np.arange(len(every)), chosen), -1, total)
        chosen.append(int(np.argmax(left)))
    return every[chosen].astype(np.int32)
