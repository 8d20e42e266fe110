"""Handing the encoder on: a SavedModel that needs TensorFlow alone."""

from simclr_tf.export.saved_model import export_encoder, image_size_of

__all__ = ["export_encoder", "image_size_of"]
