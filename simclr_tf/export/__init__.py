"""Handing the encoder on: a SavedModel that needs TensorFlow alone."""

from simclr_tf.export.precision import PRECISIONS
from simclr_tf.export.saved_model import (
    channels_of,
    export_classifier,
    export_encoder,
    image_size_of,
    value_range_of,
)

__all__ = [
    "PRECISIONS",
    "channels_of",
    "export_classifier",
    "export_encoder",
    "image_size_of",
    "value_range_of",
]
