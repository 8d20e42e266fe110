"""The losses over pairs of views, their metrics, and gathering over replicas."""

from simclr_tf.loss.decoupled import dcl
from simclr_tf.loss.nt_xent_loss import NTXent, contrast, nt_xent
from simclr_tf.loss.sides import Contrast
from simclr_tf.loss.supervised import supcon

__all__ = ["Contrast", "NTXent", "contrast", "dcl", "nt_xent", "supcon"]
