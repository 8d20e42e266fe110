"""What standardises features that may not fit in memory."""

from __future__ import annotations

import numpy as np

from simclr_tf.evaluation.blocks import row_blocks


def mean_and_scale(
    h: np.ndarray, kept: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each feature, in float64, read block by block.

    Args:
      h: float32 or float64 `[N, D]`.
      kept: bool `[N]`, the rows that count; None for all.

    Returns:
      (mean, scale), each `[D]`. A constant feature, whose deviation is 0, has scale 1.
    """
    if kept is None:
        kept = np.ones(len(h), bool)
    count = kept.sum()
    mean = np.zeros(h.shape[1])
    for rows in row_blocks(h):
        mean += h[rows][kept[rows]].sum(axis=0, dtype=np.float64) / count
    squares = np.zeros(h.shape[1])
    for rows in row_blocks(h):
        squares += np.sum((h[rows][kept[rows]] - mean) ** 2, axis=0)
    scale = np.sqrt(squares / count)
    # What rounding leaves of a constant, its own and that of a sum, is no deviation.
    rounding = max(10 * np.finfo(h.dtype).eps, count * np.finfo(np.float64).eps)
    scale[scale <= rounding * np.abs(mean)] = 1.0
    return mean, scale
