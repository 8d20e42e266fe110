"""Labels in the arrays of a file, checked."""

from __future__ import annotations

import numpy as np

from simclr_tf.data.source import DataError

# Larger labels are taken for identifiers: a probe would need weights for each class.
MAX_CLASSES = 1_000_000
UNLABELLED = -1


def as_labels(labels: np.ndarray, count: int, where: str) -> np.ndarray:
    """Labels in the form that the package uses, int32 `[N]`.

    Args:
      labels: integers `[count]` or `[count, 1]` from 0, or -1 where there is none.
      count: how many images there are.
      where: file and array, for messages.

    Returns:
      int32 `[count]`.

    Raises:
      DataError: where they are anything else, or not below `MAX_CLASSES`.
    """
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (count,) or not np.issubdtype(labels.dtype, np.integer):
        is_text = labels.dtype.kind in "US"
        hint = " Store class numbers, and the names as array classes." * is_text
        raise DataError(
            f"{where}: labels must be integers of shape ({count},), got "
            f"{labels.dtype} of shape {labels.shape}.{hint}"
        )
    low, high = int(labels.min()), int(labels.max())
    if low < UNLABELLED or high >= MAX_CLASSES:
        raise DataError(
            f"{where}: labels must be from 0 to {MAX_CLASSES - 1:,}, or -1 where there "
            f"is none, got {low:,} to {high:,}. Number the classes from 0: "
            "numpy.unique(labels, return_inverse=True)[1] does."
        )
    return labels.astype(np.int32)
