"""kNN accuracy while training: the quickest honest look at an encoder."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from simclr_tf.data import Source, evaluation_batches
from simclr_tf.evaluation import encode, knn

BANK_SIZE = 2000
QUERIES = 500
_BATCH = 250


class KnnMonitor:
    """Classifies images of one source by their neighbours in another.

    Both are sampled once, in the same way in each run, so that the figures of epochs
    can be compared; the evaluation after training uses all images.

    Args:
      bank: labelled images that vote.
      queries: labelled images to classify.
      image_size: side that the encoder sees, in pixels.
    """

    def __init__(self, bank: Source, queries: Source, image_size: int) -> None:
        self._bank = _sample(bank, BANK_SIZE, image_size)
        self._queries = _sample(queries, QUERIES, image_size)

    def run(self, model: tf.keras.Model) -> Iterator[tuple[str, float]]:
        """Yields `("knn_accuracy", …)`, in [0, 1], or NaN where a feature is.

        Images labelled -1 are left out. Nothing is yielded where the rest cannot be
        classified: no queries, or a bank of fewer than two classes.
        """
        bank_features, bank_labels = _labelled(*encode(model, self._bank))
        features, labels = _labelled(*encode(model, self._queries))
        if not len(labels) or len(np.unique(bank_labels)) < 2:
            return
        if not (np.isfinite(bank_features).all() and np.isfinite(features).all()):
            yield "knn_accuracy", np.nan
            return
        # Of many classes, a sample misses some: their queries are never right.
        seen = np.isin(labels, bank_labels)
        right = 0.0
        if seen.any():
            neighbours = min(20, len(bank_labels))
            right = knn(
                bank_features, bank_labels, features[seen], labels[seen], k=neighbours
            ).top1
        yield "knn_accuracy", right * float(np.mean(seen))


def _labelled(
    features: np.ndarray, labels: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    known = np.zeros(len(features), bool) if labels is None else labels >= 0
    return features[known], np.empty(0, int) if labels is None else labels[known]


def _sample(source: Source, count: int, image_size: int) -> tf.data.Dataset:
    """Evaluation batches of up to `count` images, kept in memory."""
    batches = evaluation_batches(
        source, batch_size=_BATCH, image_size=image_size, sample=count
    )
    return batches.cache()
