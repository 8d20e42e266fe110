"""What is right without a look at the image."""

from __future__ import annotations

import numpy as np

from simclr_tf.evaluators.evaluator import Encoded, Evaluator
from simclr_tf.evaluators.share import Share


class MajorityEvaluator(Evaluator):
    """Accuracy of the bank's most frequent class, and how many queries have labels."""

    measures = ("majority_accuracy", "labelled_queries")
    needs_labels = True

    def measure(self, encoded: Encoded) -> tuple[dict[str, float], str]:
        bank_y = encoded.bank_y[encoded.bank_y >= 0]
        query_y = encoded.query_y[encoded.query_y >= 0]
        if not len(query_y) or len(np.unique(bank_y)) < 2:
            return {}, ""
        majority = np.argmax(np.bincount(bank_y))
        right = Share(query_y == majority)
        return {"majority_accuracy": right, "labelled_queries": float(len(query_y))}, ""
