"""Rotation: the encoder tells by how many quarter turns an image was rotated."""

from __future__ import annotations

import math
from typing import ClassVar

import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.methods.pretext import Pretext

_TURNS = 4


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class RotationMethod(Pretext):
    """Prediction of image rotations (Gidaris et al. 2018).

    One augmented view of each image, and all four turns of it in one batch, as
    section 3.1 of that paper has it. We augment as SimCLR does, colours included, so
    that methods differ in what they learn from alone; the paper crops and flips.
    """

    drawn = 1
    num_views = _TURNS
    needs_squares = True
    measures = ("rotation_loss", "rotation_accuracy")
    shown: ClassVar = {"rotation loss": "rotation_loss", "acc": "rotation_accuracy"}

    def chance(self, images: int, num_classes: int | None) -> dict[str, float]:
        """Of a guess."""
        del images, num_classes
        return {
            "rotation_loss": math.log(_TURNS),
            "rotation_accuracy": 1.0 / _TURNS,
        }

    def make_head(
        self, *, layers: int, hidden_dim: int | None, out_dim: int
    ) -> tf.keras.layers.Layer:
        """A linear classifier of four turns; it has no settings."""
        return tf.keras.layers.Dense(
            _TURNS, dtype=tf.keras.backend.floatx(), name="turns"
        )

    def arrange(self, views: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
        upright = views[:, 0]
        if upright.shape[1] != upright.shape[2]:
            raise UserError(
                f"rotation turns square views, got views of shape {upright.shape[1:]}."
            )
        across = tf.transpose(upright, [0, 2, 1, 3])
        turned = [
            upright,
            tf.reverse(across, [1]),  # A quarter turn, counterclockwise.
            tf.reverse(upright, [1, 2]),
            tf.reverse(across, [2]),
        ]
        return tf.stack(turned, axis=1)

    def objective(
        self, projections: tf.Tensor, labels: tf.Tensor | None, seeds: tf.Tensor | None
    ) -> dict[str, tf.Tensor]:
        images = (projections.shape[0] or tf.shape(projections)[0]) // _TURNS
        return self.classification(projections, tf.repeat(tf.range(_TURNS), images))
