"""The contrastive task on images that were not learned from."""

from __future__ import annotations

from typing import ClassVar

import tensorflow as tf

from simclr_tf.evaluators.evaluator import Encoded, Evaluator
from simclr_tf.loss import contrast


class ContrastiveEvaluator(Evaluator):
    """Share of views whose other view outranks all views of the other queries."""

    measures = ("held_out_contrastive_accuracy",)
    shown: ClassVar = {"held out": "held_out_contrastive_accuracy"}

    def measure(self, encoded: Encoded) -> dict[str, float]:
        compared = contrast(*map(tf.constant, encoded.views_z))
        return {self.measures[0]: float(compared.accuracy)}
