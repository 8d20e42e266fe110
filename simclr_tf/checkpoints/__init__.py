"""Weights from the published code."""

from simclr_tf.checkpoints.published import Loaded, load_published

__all__ = ["Loaded", "load_published"]
