"""The contrastive task on a sample of images."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import tensorflow as tf

from simclr_tf.evaluators.evaluator import Encoded, Evaluator
from simclr_tf.evaluators.share import Share
from simclr_tf.loss import contrastive_metrics


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
        count = len(encoded.query_h)
        z = tf.math.l2_normalize(np.concatenate(encoded.views_z), axis=1)
        similarities = tf.matmul(z, z, transpose_b=True)
        least = tf.fill([2 * count], similarities.dtype.min)
        similarities = tf.linalg.set_diag(similarities, least)
        others = tf.roll(tf.range(2 * count), count, axis=0)
        found = contrastive_metrics.hits(similarities, others)
        return {self.measures[0]: Share(found.numpy().reshape(2, -1).mean(0))}, ""
