"""The geometry of representations, and a warning where they collapse."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from simclr_tf.evaluation import alignment, geometry
from simclr_tf.evaluators.evaluator import Encoded, Evaluator


class GeometryEvaluator(Evaluator):
    """What `evaluation.geometry` measures."""

    measures = ("alignment", "uniformity", "effective_rank", "deviation")
    shown: ClassVar = {"rank": "effective_rank"}
    needs_views = True

    def measure(self, encoded: Encoded) -> tuple[dict[str, float], str]:
        if encoded.views_h is None or len(encoded.query_h) < 2:
            return {}, ""
        images = geometry(np.concatenate([encoded.bank_h, encoded.query_h]))
        values = {
            "alignment": alignment(*encoded.views_h),
            "uniformity": images.uniformity,
            "effective_rank": images.effective_rank,
            "deviation": images.deviation,
        }
        return values, images.collapse


class CollapseEvaluator(Evaluator):
    """1 where representations have collapsed, see `Geometry.collapse`, else 0."""

    measures = ("collapsed",)

    def measure(self, encoded: Encoded) -> tuple[dict[str, float], str]:
        h = np.concatenate([encoded.bank_h, encoded.query_h])
        if len(h) < 2:
            return {}, ""
        return {"collapsed": float(geometry(h).collapse != "")}, ""
