"""Accuracy of a classifier on test images, as it trains and at its end."""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from simclr_tf.data import Source, evaluation_batches
from simclr_tf.evaluation import encode
from simclr_tf.evaluation.accuracy import top1_and_top5
from simclr_tf.evaluation.confusion import confusion_of, mean_per_class
from simclr_tf.evaluators.verdict import standard_error
from simclr_tf.image_size import ImageSize
from simclr_tf.model import Learner

_SAMPLE = 500
_BATCH = 250
# A confusion matrix of more classes is long to write, and nobody reads it.
_MOST_CLASSES = 100


class Accuracies(NamedTuple):
    """Of a classifier on labelled test images, shares from 0 to 1.

    Attributes:
      top1: whose class is the most likely one.
      top5: whose class is among the five most likely; None of fewer than five classes.
      mean_per_class: the mean of the classes' own `top1`.
      standard_error: of `top1`.
      images: how many there are.
      confusion: int `[K, K]`, true classes as rows; None of more than 100 classes.
      largest_class: accuracy of always naming the class that most of them have.
    """

    top1: float
    top5: float | None
    mean_per_class: float
    standard_error: float
    images: int
    confusion: list[list[int]] | None
    largest_class: float

    def __str__(self) -> str:
        top5 = "" if self.top5 is None else f", top-5 {self.top5:.4f}"
        return (
            f"top-1 {self.top1:.4f} (standard error {self.standard_error:.4f}){top5}, "
            f"mean of the classes {self.mean_per_class:.4f}"
        )


class ClassifierAccuracy:
    """Measures a classifier on test images; all workers call it together.

    Args:
      model: a `Learner` whose head gives logits.
      test: labelled images.
      image_size: side that the encoder sees in pixels, or height and width.
    """

    def __init__(self, model: Learner, test: Source, image_size: ImageSize) -> None:
        self._logits = Logits(model)
        self._model = model
        self._test = test
        self._image_size = image_size
        self.found: Accuracies | None = None

    def sample(self) -> tuple[dict[str, float], list[str]]:
        """`test_accuracy` on at most 500 images, the same each time."""
        logits, labels = self._encode(self._some)
        if not np.isfinite(logits).all():
            return {"test_accuracy": math.nan}, []
        right = np.argmax(logits, axis=1) == labels
        return {"test_accuracy": float(np.mean(right))}, []

    def measure(self) -> tuple[dict[str, float], list[str]]:
        """`test_accuracy` on all images; `found` then has more."""
        logits, labels = self._encode(self._batches(None))
        if not np.isfinite(logits).all():
            return {"test_accuracy": math.nan}, []
        self.found = accuracies_of(logits, labels)
        return {"test_accuracy": self.found.top1}, []

    @functools.cached_property
    def _some(self) -> tf.data.Dataset:
        return self._batches(_SAMPLE).cache()

    def _batches(self, sample: int | None) -> tf.data.Dataset:
        return evaluation_batches(
            self._test, batch_size=_BATCH, image_size=self._image_size, sample=sample
        )

    def _encode(self, batches: tf.data.Dataset) -> tuple[np.ndarray, np.ndarray]:
        strategy = self._model.distribute_strategy
        logits, labels = encode(self._logits, batches, strategy=strategy)
        assert labels is not None
        known = labels >= 0  # Not of files that cannot be read.
        return logits[known], labels[known]


def accuracies_of(scores: np.ndarray, labels: np.ndarray) -> Accuracies:
    """Accuracies of scores `[M, K]`, the higher the likelier, and labels `[M]`."""
    num_classes = scores.shape[1]
    top1, top5 = top1_and_top5(scores, labels)
    confusion = confusion_of(np.argmax(scores, axis=1), labels, num_classes)
    return Accuracies(
        top1,
        top5,
        mean_per_class(confusion),
        standard_error(top1, len(labels)),
        len(labels),
        confusion.tolist() if num_classes <= _MOST_CLASSES else None,
        float(confusion.sum(axis=1).max() / len(labels)),
    )


class Logits(tf.keras.Model):
    """A `Learner`'s logits, for `encode`."""

    def __init__(self, learner: Learner) -> None:
        super().__init__()
        self.learner = learner

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        h = self.learner(images, training=training)
        return self.learner.projection_head(h, training=training)
