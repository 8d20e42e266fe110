"""SimCLR: two views of an image attract each other, all other views repel."""

from __future__ import annotations

import tensorflow as tf

from simclr_tf.loss import Contrast, contrast
from simclr_tf.methods.contrastive import Contrastive


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class NTXentMethod(Contrastive):
    """SimCLR's NT-Xent (Chen et al. 2020, equation 1).

    Examples:
      >>> method = simclr_tf.methods.NTXentMethod(temperature=0.2)
      >>> method.make_head(layers=2, hidden_dim=None, out_dim=64).out_dim
      64
    """

    def compare(
        self, z_a: tf.Tensor, z_b: tf.Tensor, labels: tf.Tensor | None
    ) -> Contrast:
        return contrast(
            z_a, z_b, temperature=self.temperature, block_size=self.block_size
        )
