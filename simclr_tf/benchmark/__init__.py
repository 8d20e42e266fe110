"""This machine's speed: views, training, loss, memory, beside peers' in one run."""

from simclr_tf.benchmark.benchmark import PARTS, benchmark

__all__ = ["PARTS", "benchmark"]
