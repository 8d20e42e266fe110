"""The geometry of representations, and a warning where they collapse."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from simclr_tf.evaluation import geometry
from simclr_tf.evaluators.evaluator import Encoded, Evaluator


class GeometryEvaluator(Evaluator):
    """What `evaluation.geometry` measures."""

    measures = ("alignment", "uniformity", "effective_rank", "deviation")
    shown: ClassVar = {"rank": "effective_rank"}

    def measure(self, encoded: Encoded) -> dict[str, float]:
        views = geometry(*encoded.views_h)
        images = geometry(_images(encoded))
        assert views.alignment is not None
        return {
            "alignment": views.alignment,
            "uniformity": images.uniformity,
            "effective_rank": images.effective_rank,
            "deviation": images.deviation,
        }

    def warning(self, encoded: Encoded) -> str:
        return geometry(_images(encoded)).collapse


def _images(encoded: Encoded) -> np.ndarray:
    return np.concatenate([encoded.bank_h, encoded.query_h])
