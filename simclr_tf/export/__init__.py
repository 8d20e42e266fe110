"""Handing the encoder on: a SavedModel that needs TensorFlow alone."""

from simclr_tf.export.precision import PRECISIONS
from simclr_tf.export.saved_model import export_encoder, image_size_of

__all__ = ["PRECISIONS", "export_encoder", "image_size_of"]
