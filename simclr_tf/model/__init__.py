"""SimCLR as a Keras model."""

from simclr_tf.model.simclr import SimCLR

__all__ = ["SimCLR"]
