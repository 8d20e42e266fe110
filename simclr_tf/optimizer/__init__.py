"""LARS, schedules, and optimizers by name."""

from simclr_tf.optimizer.lars import LARS
from simclr_tf.optimizer.registry import OPTIMIZERS, make_optimizer
from simclr_tf.optimizer.schedule import (
    WarmRestarts,
    WarmupCosineDecay,
    scaled_learning_rate,
)

__all__ = [
    "LARS",
    "OPTIMIZERS",
    "WarmRestarts",
    "WarmupCosineDecay",
    "make_optimizer",
    "scaled_learning_rate",
]
