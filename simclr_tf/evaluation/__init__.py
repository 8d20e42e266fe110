"""What an encoder is worth: its features, probes, neighbours, and their geometry."""

from simclr_tf.evaluation.features import encode
from simclr_tf.evaluation.logistic_regression import linear_probe
from simclr_tf.evaluation.nearest_neighbours import knn
from simclr_tf.evaluation.representation_geometry import Geometry, alignment, geometry
from simclr_tf.evaluation.result import EvaluationResult
from simclr_tf.evaluation.ridge_regression import ridge_probe

__all__ = [
    "EvaluationResult",
    "Geometry",
    "alignment",
    "encode",
    "geometry",
    "knn",
    "linear_probe",
    "ridge_probe",
]
