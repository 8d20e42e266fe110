"""The contrastive task on a sample of images."""

from __future__ import annotations

from typing import ClassVar

import tensorflow as tf

from simclr_tf.evaluators.evaluator import Encoded, Evaluator
from simclr_tf.loss import contrast


class ContrastiveEvaluator(Evaluator):
    """Share of views whose other view outranks all views of the other queries.

    Queries are images that were not learned from, where there are such.
    """

    measures = ("query_contrastive_accuracy",)
    shown: ClassVar = {"query acc": "query_contrastive_accuracy"}
    needs_views = True

    def measure(self, encoded: Encoded) -> tuple[dict[str, float], str]:
        if encoded.views_z is None or len(encoded.query_h) < 2:
            return {}, ""
        compared = contrast(*map(tf.constant, encoded.views_z))
        return {self.measures[0]: float(compared.accuracy)}, ""
