"""SupCon: all views of images of a class attract each other."""

from __future__ import annotations

import tensorflow as tf

from simclr_tf.loss import Contrast, supcon
from simclr_tf.methods.contrastive import Contrastive


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class SupConMethod(Contrastive):
    """Supervised contrastive learning (Khosla et al. 2020).

    Labels are those of all replicas; images without one are SimCLR's.
    """

    learns_from_labels = True

    def chance(self, images: int, num_classes: int | None) -> dict[str, float]:
        """Of the loss alone: that of the accuracy depends on the classes of a batch."""
        return {
            "contrastive_loss": super().chance(images, num_classes)["contrastive_loss"]
        }

    def compare(
        self, z_a: tf.Tensor, z_b: tf.Tensor, labels: tf.Tensor | None
    ) -> Contrast:
        return supcon(
            z_a,
            z_b,
            labels,
            temperature=self.temperature,
            block_size=self.block_size,
        )
