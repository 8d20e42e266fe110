"""Replicas, hosts and devices: who takes a step together."""

from simclr_tf.distribution.strategies import STRATEGIES, make_strategy

__all__ = ["STRATEGIES", "make_strategy"]
