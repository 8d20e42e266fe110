"""Ridge regression on frozen features: a linear probe in seconds."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from simclr_tf.errors import UserError
from simclr_tf.evaluation.labelled_features import labelled_features
from simclr_tf.evaluation.result import EvaluationResult, result_of_scores


def ridge_probe(
    train_h: ArrayLike,
    train_y: ArrayLike,
    test_h: ArrayLike,
    test_y: ArrayLike,
    *,
    penalties: Sequence[float] = (1.0, 10.0, 100.0, 1000.0, 10000.0),
) -> EvaluationResult:
    """A linear classifier in closed form, for looks at an encoder while it trains.

    Least squares with an L2 penalty from standardised features to classes as +1 and
    -1. One decomposition of the features serves all penalties; taken is the one with
    the least squared error of examples left out one by one, which the decomposition
    gives as well. The test set has no part in it. This is scikit-learn's
    `RidgeClassifierCV`, whose decomposition of `[N, D]` instead of `[D, D]` takes more
    than ten times as long for many examples. `linear_probe` is the paper's protocol.

    Args:
      train_h: `[N, D]`, array or tensor of any real dtype.
      train_y: int `[N]`; examples labelled -1 are left out and counted.
      test_h: `[M, D]`.
      test_y: int `[M]`, labels that occur in `train_y`, or -1.
      penalties: strengths of the penalty to choose from, each above 0.

    Raises:
      UserError: an argument is outside what is stated here.
    """
    # Half a second, which most commands do not need.
    from sklearn.preprocessing import StandardScaler

    started = time.perf_counter()
    strengths = sorted(float(each) for each in penalties)
    if not strengths or not all(0 < each < np.inf for each in strengths):
        raise UserError(
            f"penalties must be one or more finite numbers above 0, got {penalties!r}"
        )
    data = labelled_features(train_h, train_y, test_h, test_y)
    scaler = StandardScaler()
    train = scaler.fit_transform(data.train_h.astype(np.float64))
    penalty, weights, offsets = _fit(train, data.train_y, strengths)
    scores = scaler.transform(data.test_h.astype(np.float64)) @ weights + offsets
    return result_of_scores("ridge probe", scores, data, started, {"penalty": penalty})


def _fit(
    h: np.ndarray, y: np.ndarray, strengths: Sequence[float]
) -> tuple[float, np.ndarray, np.ndarray]:
    """The penalty chosen, weights `[D, C]` and offsets `[C]`; the mean of `h` is 0."""
    targets = np.where(y[:, None] == np.arange(y.max() + 1), 1.0, -1.0)
    offsets = targets.mean(axis=0)
    targets -= offsets
    values, directions = np.linalg.eigh(h.T @ h)
    along = h @ directions
    products, squares = along.T @ targets, along**2
    best = (np.inf, 0.0, np.empty(0))
    for strength in strengths:
        inverse = 1.0 / (np.maximum(values, 0.0) + strength)
        weights = inverse[:, None] * products
        # What an example's own target has of its fitted value, the mean included.
        own = squares @ inverse + 1.0 / len(h)
        left_out = (targets - along @ weights) / np.maximum(1.0 - own, 1e-9)[:, None]
        best = min(best, (np.mean(left_out**2), strength, weights), key=lambda x: x[0])
    _, strength, weights = best
    return strength, directions @ weights, offsets
