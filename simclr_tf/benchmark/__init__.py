"""This machine's speed: views, training, loss, memory, beside stock keras-cv layers."""

from simclr_tf.benchmark.parts import PARTS, benchmark

__all__ = ["PARTS", "benchmark"]
