"""What is measured of an encoder while it trains: a file each, and a registry."""

from simclr_tf.evaluators.callback import EvaluateEncoder
from simclr_tf.evaluators.evaluator import Encoded, Evaluator
from simclr_tf.evaluators.monitor import Monitor
from simclr_tf.evaluators.registry import EVALUATORS, make_evaluators

__all__ = [
    "EVALUATORS",
    "Encoded",
    "EvaluateEncoder",
    "Evaluator",
    "Monitor",
    "make_evaluators",
]
