"""What an encoder is worth: its features, a linear probe, nearest neighbours."""

from simclr_tf.evaluation.features import encode
from simclr_tf.evaluation.knn import knn
from simclr_tf.evaluation.linear_probe import linear_probe
from simclr_tf.evaluation.result import EvaluationResult

__all__ = ["EvaluationResult", "encode", "knn", "linear_probe"]
