"""Methods that compare projections of two views of each image."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.head import ProjectionHead
from simclr_tf.loss import Contrast
from simclr_tf.methods.method import Method


class Contrastive(Method):
    """Two views, a projection head, and a loss over all pairs of the global batch.

    A subclass writes `compare`.

    Examples:
      >>> method = simclr_tf.methods.method_class("dcl")(temperature=0.2)
      >>> isinstance(method, simclr_tf.methods.Contrastive)
      True

    Args:
      temperature: what similarities are divided by, > 0.
      loss_scale: what the loss is multiplied by before it is differentiated.
      block_size: of the loss, see `nt_xent`.

    Raises:
      UserError: where the temperature is out of its range.
    """

    measures = ("contrastive_loss", "contrastive_accuracy", "contrastive_entropy")
    projects = True
    shown: ClassVar = {
        "contrastive loss": "contrastive_loss",
        "acc": "contrastive_accuracy",
    }

    def __init__(
        self,
        temperature: float = 0.1,
        loss_scale: float = 1.0,
        block_size: int | None = None,
    ) -> None:
        if not temperature > 0.0:
            raise UserError(f"temperature must be greater than 0, got {temperature}.")
        self.temperature = temperature
        self.loss_scale = loss_scale
        self.block_size = block_size

    def make_head(
        self, *, layers: int, hidden_dim: int | None, out_dim: int
    ) -> ProjectionHead:
        """A projection head (SimCLR, section 4)."""
        return ProjectionHead(num_layers=layers, hidden_dim=hidden_dim, out_dim=out_dim)

    def compare(
        self, z_a: tf.Tensor, z_b: tf.Tensor, labels: tf.Tensor | None
    ) -> Contrast:
        """The loss of projections `[n, d]` of first and second views."""
        raise NotImplementedError(f"{type(self).__name__} must define compare().")

    def objective(
        self, projections: tf.Tensor, labels: tf.Tensor | None, seeds: tf.Tensor | None
    ) -> dict[str, tf.Tensor]:
        z_a, z_b = tf.split(projections, 2, axis=0)
        compared = self.compare(z_a, z_b, labels)
        return {
            "loss": self.loss_scale * compared.loss,
            "contrastive_loss": compared.loss,
            "contrastive_accuracy": compared.accuracy,
            "contrastive_entropy": compared.entropy,
        }

    def chance(self, images: int, num_classes: int | None) -> dict[str, float]:
        """Of a model to which all views are equally alike, at any temperature."""
        del num_classes
        candidates = 2 * images - 1
        return {
            "contrastive_loss": math.log(candidates),
            "contrastive_accuracy": 1.0 / candidates,
        }

    def get_config(self) -> dict[str, Any]:
        return {
            "temperature": self.temperature,
            "loss_scale": self.loss_scale,
            "block_size": self.block_size,
        }
