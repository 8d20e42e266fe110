"""Top-1 and top-5 accuracy of class scores."""

from __future__ import annotations

import numpy as np


def top1_and_top5(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float | None]:
    """Shares of examples whose class ranks first, or among the first five.

    Equal scores rank by class index, lowest first, so that a tie has one outcome,
    always the same. A class whose score is -inf never counts as a hit.

    Args:
      scores: float `[N, C]`; a higher score means a more likely class.
      labels: int `[N]` in [0, C), each example's class as a column of `scores`.

    Returns:
      (top1, top5), each 0 to 1; top5 is None where C < 5.
    """
    rank = ranks(scores, labels)
    top1 = float(np.mean(rank < 1))
    top5 = float(np.mean(rank < 5)) if scores.shape[1] >= 5 else None
    return top1, top5


def confusion_of(
    guesses: np.ndarray, labels: np.ndarray, num_classes: int
) -> np.ndarray:
    """How often each class was taken for which, int64 `[C, C]`.

    Args:
      guesses: int `[N]` in [0, C).
      labels: int `[N]` in [0, C), the true classes: the rows.
      num_classes: C.
    """
    counts = np.bincount(labels * num_classes + guesses, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def mean_per_class(confusion: np.ndarray) -> float:
    """The mean of the shares of each class that are right, of classes with examples.

    Args:
      confusion: see `confusion_of`.
    """
    examples = confusion.sum(axis=1)
    there = examples > 0
    return float(np.mean(np.diag(confusion)[there] / examples[there]))


def ranks(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How many classes rank before each example's own, int `[N]`.

    Arguments and ties are those of `top1_and_top5`; C where its class scores -inf.
    """
    right = np.take_along_axis(scores, labels[:, None], axis=1)
    lower_index = np.arange(scores.shape[1])[None] < labels[:, None]
    rank = np.sum((scores > right) | ((scores == right) & lower_index), axis=1)
    rank[np.isneginf(right[:, 0])] = scores.shape[1]
    return rank
