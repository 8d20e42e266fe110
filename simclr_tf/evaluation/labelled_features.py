"""Features with labels, checked once for every classifier."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike

from simclr_tf.errors import UserError
from simclr_tf.evaluation.blocks import row_blocks

_UNLABELLED = -1
_NAMED_AT_MOST = 10


@dataclasses.dataclass(frozen=True)
class LabelledFeatures:
    """A training and a test set of features, the unlabelled left out.

    Attributes:
      train_h: float32 or float64 `[N, D]`.
      train_y: int64 `[N]`, indices into `classes`.
      test_h: like `train_h`, `[M, D]`.
      test_y: like `train_y`, `[M]`.
      classes: int64 `[C]`, the distinct training labels in rising order.
      num_unlabelled: examples of both sets that were left out.
    """

    train_h: np.ndarray
    train_y: np.ndarray
    test_h: np.ndarray
    test_y: np.ndarray
    classes: np.ndarray
    num_unlabelled: int


def labelled_features(
    train_h: ArrayLike, train_y: ArrayLike, test_h: ArrayLike, test_y: ArrayLike
) -> LabelledFeatures:
    """Checks features and labels and leaves out those labelled -1.

    Args:
      train_h: `[N, D]` of any real dtype, arrays or tensors.
      train_y: integer `[N]`; -1 means unlabelled.
      test_h: `[M, D]`.
      test_y: integer `[M]`; -1 means unlabelled.

    Raises:
      UserError: the shapes do not fit, labels are not integers or below -1, a
        feature is NaN or infinite, fewer than two classes are labelled in the
        training set, no test example is labelled, or a test label does not
        occur in training.
    """
    train_h, train_y, train_dropped = _labelled("train", train_h, train_y)
    test_h, test_y, test_dropped = _labelled("test", test_h, test_y)
    if train_h.shape[1] != test_h.shape[1]:
        raise UserError(
            "train_h and test_h must have the same width D, got "
            f"{train_h.shape[1]} and {test_h.shape[1]}"
        )
    classes, train_index = np.unique(train_y, return_inverse=True)
    if len(classes) < 2:
        raise UserError(
            "train_y must hold at least two classes besides -1 (unlabelled), got "
            f"{classes.tolist()}"
        )
    unseen = np.setdiff1d(test_y, classes)
    if len(unseen):
        raise UserError(
            f"test_y holds {len(unseen)} label(s) that train_y lacks: {_few(unseen)}"
        )
    return LabelledFeatures(
        train_h=train_h,
        train_y=train_index.reshape(-1),
        test_h=test_h,
        test_y=np.searchsorted(classes, test_y),
        classes=classes,
        num_unlabelled=train_dropped + test_dropped,
    )


def _labelled(
    name: str, features: ArrayLike, labels: ArrayLike
) -> tuple[np.ndarray, np.ndarray, int]:
    features, labels = np.asarray(features), np.asarray(labels)
    if features.ndim != 2 or not features.shape[1]:
        raise UserError(
            f"{name}_h must be [N, D] with D at least 1, got shape {features.shape}"
        )
    if labels.shape != features.shape[:1]:
        raise UserError(
            f"{name}_y must be [N], one label per row of {name}_h: got shape "
            f"{labels.shape} for {name}_h of shape {features.shape}"
        )
    if not np.issubdtype(labels.dtype, np.integer):
        raise UserError(
            f"{name}_y must hold integers, -1 where unlabelled, got {labels.dtype}"
        )
    labels = labels.astype(np.int64)
    if np.any(labels < _UNLABELLED):
        raise UserError(
            f"{name}_y must hold labels from 0, or -1 where unlabelled, got "
            f"{_few(np.unique(labels[labels < _UNLABELLED]))}"
        )
    known = labels != _UNLABELLED
    if not known.any():
        raise UserError(
            f"{name}_y must label at least one example, got {len(labels)} examples, "
            "none labelled"
        )
    if features.dtype != np.float64:
        features = features.astype(np.float32, copy=False)
    if not known.all():
        features = features[known]
    bad, rows = 0, 0
    for part in row_blocks(features):
        finite = np.isfinite(features[part])
        bad += int(np.sum(~finite))
        rows += int(np.sum(~finite.all(axis=1)))
    if bad:
        raise UserError(
            f"{name}_h must be finite, got {bad} NaN or infinite value(s) in {rows} "
            f"of {len(features)} row(s)"
        )
    return features, labels[known], len(labels) - len(features)


def _few(values: np.ndarray) -> str:
    shown = ", ".join(str(value) for value in values[:_NAMED_AT_MOST])
    return shown + (", ..." if len(values) > _NAMED_AT_MOST else "")
