"""kNN accuracy while training: the quickest honest look at an encoder."""

from __future__ import annotations

from collections.abc import Iterator

import tensorflow as tf

from simclr_tf.data import Source, evaluation_batches
from simclr_tf.evaluation import encode, knn

BANK_SIZE = 2000
QUERIES = 500
_BATCH = 250


class KnnMonitor:
    """Classifies images of one source by their neighbours in another.

    Both are sampled once, the same at each run, so that the figures of epochs
    compare; evaluation proper uses all images.

    Args:
      bank: labelled images that vote.
      queries: labelled images to classify.
      image_size: side that the encoder sees, in pixels.
    """

    def __init__(self, bank: Source, queries: Source, image_size: int) -> None:
        self._bank = _sample(bank, BANK_SIZE, image_size)
        self._queries = _sample(queries, QUERIES, image_size)

    def run(self, model: tf.keras.Model) -> Iterator[tuple[str, float]]:
        """Yields `("knn_accuracy", …)`, in [0, 1]."""
        bank_features, bank_labels = encode(model, self._bank)
        features, labels = encode(model, self._queries)
        neighbours = min(20, len(bank_labels))
        result = knn(bank_features, bank_labels, features, labels, k=neighbours)
        yield "knn_accuracy", result.top1


def _sample(source: Source, count: int, image_size: int) -> tf.data.Dataset:
    """Evaluation batches of up to `count` images, kept in memory."""
    batches = evaluation_batches(
        source, batch_size=_BATCH, image_size=image_size, sample=count
    )
    return batches.cache()
