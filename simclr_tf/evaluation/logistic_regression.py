"""Logistic regression on frozen features."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from simclr_tf.errors import UserError
from simclr_tf.evaluation.labelled_features import LabelledFeatures, labelled_features
from simclr_tf.evaluation.linear_classifier import LinearClassifier
from simclr_tf.evaluation.result import EvaluationResult, result_of_scores

# scikit-learn takes half a second to import, which most commands do not need.
if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler


def linear_probe(
    train_h: ArrayLike,
    train_y: ArrayLike,
    test_h: ArrayLike,
    test_y: ArrayLike,
    *,
    regularization: Sequence[float] = (1e-4, 1e-3, 1e-2, 1e-1, 1.0),
    validation_share: float = 0.2,
    seed: int = 0,
    max_iter: int = 1000,
) -> EvaluationResult:
    """Linear evaluation: how well a linear classifier reads the features.

    Multinomial logistic regression with an L2 penalty (scikit-learn, L-BFGS) on
    standardised features. The penalty is picked by accuracy on a stratified share
    of the training set, the stronger one where two do equally well; then the
    classifier is fitted again on the whole training set. The test set is scored
    once and has no part in any choice. Each fit starts from zero, so that what a
    penalty gives does not depend on which others were tried.

    The protocol is that of section 4.2 and appendix B.8 of the SimCLR paper (Chen
    et al. 2020) for small datasets, with a standardisation that the paper does
    not mention.

    Args:
      train_h: `[N, D]`, array or tensor of any real dtype; computed in float64,
        which on CPU was no slower here than float32.
      train_y: int `[N]`; examples labelled -1 are left out and counted.
      test_h: `[M, D]`.
      test_y: int `[M]`, labels that occur in `train_y`, or -1.
      regularization: scikit-learn's C, inverse strengths of the penalty, each
        above 0. With a single value nothing is picked and nothing held out; where
        no class has two examples nothing can be, and the strongest penalty is
        taken, which the result's `note` says.
      validation_share: share of each class held out to pick C, between 0 and 1;
        at least one example of every class with two or more.
      seed: of the split.
      max_iter: iterations of the solver at most, for each fit.

    Raises:
      UserError: an argument is outside what is stated here.
    """
    started = time.perf_counter()
    strengths = sorted(float(c) for c in regularization)
    if not strengths or not all(0 < c < np.inf for c in strengths):
        raise UserError(
            "regularization must be one or more finite numbers above 0, got "
            f"{regularization!r}"
        )
    if not 0 < validation_share < 1:
        raise UserError(
            f"validation_share must be between 0 and 1, got {validation_share!r}"
        )
    if max_iter < 1:
        raise UserError(f"max_iter must be 1 or more, got {max_iter!r}")
    data = labelled_features(train_h, train_y, test_h, test_y)
    best, note = strengths[0], ""
    if len(strengths) > 1:
        held_out = _stratified_share(data.train_y, validation_share, seed)
        if held_out.any():
            best = _pick(data, held_out, strengths, max_iter)
        else:
            note = "no class has two training examples to pick the penalty with"

    scaler, train = _standardise(data.train_h)
    probe, converged = _fit(train, data.train_y, best, max_iter)
    classifier = LinearClassifier.on_standardised(
        scaler.mean_, scaler.scale_, probe.coef_.T, probe.intercept_
    )
    return result_of_scores(
        "linear probe",
        classifier.scores(data.test_h),
        data,
        started,
        {"C": best},
        converged=converged,
        note=note,
        classifier=classifier,
    )


def _pick(
    data: LabelledFeatures,
    held_out: np.ndarray,
    strengths: Sequence[float],
    max_iter: int,
) -> float:
    """The first of the values of C that is the most accurate on what is held out."""
    scaler, h = _standardise(data.train_h[~held_out])
    validation_h = scaler.transform(data.train_h[held_out].astype(np.float64))
    y, validation_y = data.train_y[~held_out], data.train_y[held_out]
    accuracies = []
    for c in strengths:
        probe, _ = _fit(h, y, c, max_iter)
        accuracies.append(probe.score(validation_h, validation_y))
    return strengths[int(np.argmax(accuracies))]


def _standardise(h: np.ndarray) -> tuple[StandardScaler, np.ndarray]:
    """Features of mean 0 and variance 1 in float64, and what made them so."""
    from sklearn.preprocessing import StandardScaler

    h = h.astype(np.float64)  # always a copy, which is then changed in place
    scaler = StandardScaler(copy=False)
    return scaler, scaler.fit_transform(h)


def _fit(
    h: np.ndarray, y: np.ndarray, c: float, max_iter: int
) -> tuple[LogisticRegression, bool]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    probe = LogisticRegression(C=c, max_iter=max_iter)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        probe.fit(h, y)
    stopped = any(issubclass(w.category, ConvergenceWarning) for w in caught)
    return probe, not stopped


def _stratified_share(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Which examples to hold out: a share of each class, never all of it."""
    generator = np.random.default_rng(seed)
    held_out = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        # scikit-learn's splitter refuses classes of one example, and few-shot
        # training sets have such classes.
        count = min(max(1, round(share * len(members))), len(members) - 1)
        held_out[members[:count]] = True
    return held_out
