"""Ridge regression on frozen features: a linear probe in seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike

from simclr_tf.errors import UserError
from simclr_tf.evaluation.blocks import row_blocks
from simclr_tf.evaluation.labelled_features import LabelledFeatures, labelled_features
from simclr_tf.evaluation.linear_classifier import LinearClassifier
from simclr_tf.evaluation.result import EvaluationResult, result_of_scores
from simclr_tf.evaluation.standardisation import mean_and_scale


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
    -1, in float64, which reads the features block by block: they may be a memory-mapped
    file. One decomposition of the features serves all penalties; taken is the one with
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
    started = time.perf_counter()
    strengths = sorted(float(each) for each in penalties)
    if not strengths or not all(0 < each < np.inf for each in strengths):
        raise UserError(
            f"penalties must be one or more finite numbers above 0, got {penalties!r}"
        )
    data = labelled_features(train_h, train_y, test_h, test_y)
    penalty, classifier = _fit(data, strengths)
    scores = classifier.scores(data.test_h)
    return result_of_scores("ridge probe", scores, data, started, {"penalty": penalty})


def _fit(
    data: LabelledFeatures, strengths: Sequence[float]
) -> tuple[float, LinearClassifier]:
    """The penalty chosen and the classifier; features are read three times."""
    mean, scale = mean_and_scale(data.train_h)
    count, num_classes = len(data.train_y), len(data.classes)
    offsets = 2.0 * np.bincount(data.train_y, minlength=num_classes) / count - 1.0

    def blocks() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Standardised features, and targets less their mean."""
        for rows in row_blocks(data.train_h):
            hits = data.train_y[rows, None] == np.arange(num_classes)
            yield (data.train_h[rows] - mean) / scale, np.where(hits, 1, -1) - offsets

    products = np.zeros([len(mean), len(mean)])
    along_targets = np.zeros([len(mean), num_classes])
    for h, targets in blocks():
        products += h.T @ h
        along_targets += h.T @ targets
    values, directions = np.linalg.eigh(products)
    along_targets = directions.T @ along_targets
    inverses = [1.0 / (np.maximum(values, 0.0) + each) for each in strengths]
    weights = [each[:, None] * along_targets for each in inverses]
    errors = np.zeros(len(strengths))
    for h, targets in blocks():
        along = h @ directions
        squares = along**2
        for place in range(len(strengths)):
            # What an example's own target has of its fitted value, the mean included.
            own = squares @ inverses[place] + 1.0 / count
            left_out = targets - along @ weights[place]
            left_out /= np.maximum(1.0 - own, 1e-9)[:, None]
            errors[place] += np.sum(left_out**2)
    best = int(np.argmin(errors))
    return strengths[best], LinearClassifier.on_standardised(
        mean, scale, directions @ weights[best], offsets
    )
