"""Learning of an encoder as a Keras model."""

from simclr_tf.model.learner import Learner
from simclr_tf.model.simclr import SimCLR

__all__ = ["Learner", "SimCLR"]
