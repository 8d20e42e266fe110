"""The projection head between representations and loss."""

from simclr_tf.head.projection_head import ProjectionHead

__all__ = ["ProjectionHead"]
