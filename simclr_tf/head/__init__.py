"""Heads between representations and loss."""

from simclr_tf.head.classifier_head import ClassifierHead
from simclr_tf.head.projection_head import ProjectionHead

__all__ = ["ClassifierHead", "ProjectionHead"]
