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


def ranks(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How many classes rank before each example's own, int `[N]`.

    Arguments and ties are those of `top1_and_top5`; C where its class scores -inf.
    """
    right = np.take_along_axis(scores, labels[:, None], axis=1)
    lower_index = np.arange(scores.shape[1])[None] < labels[:, None]
    rank = np.sum((scores > right) | ((scores == right) & lower_index), axis=1)
    rank[np.isneginf(right[:, 0])] = scores.shape[1]
    return rank
