"""DCL: SimCLR whose loss has no positive in the denominator."""

from __future__ import annotations

import math

import tensorflow as tf

from simclr_tf.loss import Contrast, dcl
from simclr_tf.methods.contrastive import Contrastive


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class DCLMethod(Contrastive):
    """Decoupled contrastive learning (Yeh et al. 2022)."""

    def chance(self, images: int, num_classes: int | None) -> dict[str, float]:
        """As SimCLR's, and the loss has only the 2N-2 negatives below."""
        found = super().chance(images, num_classes)
        return {**found, "contrastive_loss": math.log(2 * images - 2)}

    def compare(
        self, z_a: tf.Tensor, z_b: tf.Tensor, labels: tf.Tensor | None
    ) -> Contrast:
        return dcl(z_a, z_b, temperature=self.temperature, block_size=self.block_size)
