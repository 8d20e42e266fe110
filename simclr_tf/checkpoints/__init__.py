"""Published weights: of the published code, and of PyTorch."""

from simclr_tf.checkpoints.published import (
    Loaded,
    PublishedWeights,
    is_published,
    load_published,
)

__all__ = ["Loaded", "PublishedWeights", "is_published", "load_published"]
