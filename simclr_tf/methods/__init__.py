"""How an encoder learns: each method is a file, and a line in the registry."""

from simclr_tf.methods.contrastive import Contrastive
from simclr_tf.methods.method import Method
from simclr_tf.methods.registry import METHODS, method_class
from simclr_tf.methods.simclr import NTXentMethod

__all__ = ["METHODS", "Contrastive", "Method", "NTXentMethod", "method_class"]
