"""Accuracies of classifiers on representations."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from simclr_tf.evaluation import EvaluationResult, knn, ridge_probe
from simclr_tf.evaluators.evaluator import Encoded, Evaluator
from simclr_tf.evaluators.share import Share

_NEIGHBOURS = 20


class _Classifier(Evaluator):
    """Accuracy on the queries of a classifier that learned from the bank."""

    needs_labels = True

    def classify(
        self, h: np.ndarray, y: np.ndarray, query_h: np.ndarray, query_y: np.ndarray
    ) -> EvaluationResult:
        """Classifies the queries by what `h` and `y` teach."""
        raise NotImplementedError(f"{type(self).__name__} must define classify().")

    def measure(self, encoded: Encoded) -> tuple[dict[str, float], str]:
        bank_h, bank_y = _known(encoded.bank_h, encoded.bank_y)
        query_h, query_y = _known(encoded.query_h, encoded.query_y)
        if not len(query_y) or len(np.unique(bank_y)) < 2:
            return {}, ""
        # Of many classes, a sample misses some: their queries are never right.
        seen = np.isin(query_y, bank_y)
        right = np.zeros(len(query_y))
        if seen.any():
            found = self.classify(bank_h, bank_y, query_h[seen], query_y[seen])
            right[seen] = found.hits
        return {self.measures[0]: Share(right)}, ""


def _known(h: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return h[y >= 0], y[y >= 0]


class KnnEvaluator(_Classifier):
    """The 20 nearest images vote."""

    measures = ("knn_accuracy",)
    shown: ClassVar = {"kNN": "knn_accuracy"}

    def classify(
        self, h: np.ndarray, y: np.ndarray, query_h: np.ndarray, query_y: np.ndarray
    ) -> EvaluationResult:
        return knn(h, y, query_h, query_y, k=min(_NEIGHBOURS, len(y)))


class RidgeEvaluator(_Classifier):
    """A linear classifier in closed form."""

    measures = ("ridge_accuracy",)
    shown: ClassVar = {"ridge": "ridge_accuracy"}

    def classify(
        self, h: np.ndarray, y: np.ndarray, query_h: np.ndarray, query_y: np.ndarray
    ) -> EvaluationResult:
        return ridge_probe(h, y, query_h, query_y)
