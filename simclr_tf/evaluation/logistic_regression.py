"""Logistic regression on frozen features."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from simclr_tf.errors import UserError
from simclr_tf.evaluation.blocks import row_blocks
from simclr_tf.evaluation.blockwise_regression import BlockwiseRegression
from simclr_tf.evaluation.labelled_features import LabelledFeatures, labelled_features
from simclr_tf.evaluation.linear_classifier import LinearClassifier
from simclr_tf.evaluation.result import EvaluationResult, result_of_scores

_MOST_IN_MEMORY = 2**26  # numbers: 0.5 GB in float64
_FEW = 1_000  # examples
_LOG_SCALES = (-8.0, 10.0)  # of what scores are multiplied by

# scikit-learn takes half a second to import, which most commands do not need.
if TYPE_CHECKING:
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
    in_blocks: bool | None = None,
) -> EvaluationResult:
    """Linear evaluation: how well a linear classifier reads the features.

    Multinomial logistic regression with an L2 penalty (scikit-learn, L-BFGS) on
    standardised features; the result holds the classifier, of features as they are.
    The penalty is picked by accuracy on a stratified share
    of the training set, the stronger one where two do equally well; then the
    classifier is fitted again on the whole training set. Of at most 1,000 training
    examples each is held out once instead, and the penalty is taken whose scores make
    them likeliest, at the temperature that suits these best: accuracy on some dozens of
    examples is mostly chance, and without a temperature a strong penalty looks unsure.
    The test set is scored once and has no part in any choice. Each fit starts from
    zero, so that what a penalty gives does not depend on which others were tried.

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
      validation_share: share of each class held out at a time to pick C, between 0 and
        1; at least one example of every class with two or more.
      seed: of which are held out.
      max_iter: iterations of the solver at most, for each fit.
      in_blocks: read the features block by block, in their own dtype, so that they may
        be a memory-mapped file (see `BlockwiseRegression`); None for where they are
        more than 67 million numbers, of which scikit-learn would make copies in
        float64.

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
    if in_blocks is None:
        in_blocks = data.train_h.size > _MOST_IN_MEMORY
    regression = (BlockwiseRegression if in_blocks else _InMemory)(
        data.train_h, data.train_y, len(data.classes)
    )
    best, note = strengths[0], ""
    if len(strengths) > 1:
        given = (data.train_y, validation_share, seed)
        few = len(data.train_y) <= _FEW
        parts = _folds(*given) if few else [_stratified_share(*given)]
        if np.any(parts):
            pick = _pick_by_likelihood if few else _pick
            best = pick(regression, data, parts, strengths, max_iter)
        else:
            note = "no class has two training examples to pick the penalty with"
    every = np.ones(len(data.train_y), bool)
    classifier, converged = regression.fit(every, best, max_iter)
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
    regression: _InMemory | BlockwiseRegression,
    data: LabelledFeatures,
    parts: Sequence[np.ndarray],
    strengths: Sequence[float],
    max_iter: int,
) -> float:
    """The first of the values of C that is the most accurate on what is held out."""
    (held_out,) = parts
    accuracies = []
    for c in strengths:
        classifier, _ = regression.fit(~held_out, c, max_iter)
        right = 0
        for rows in row_blocks(data.train_h):
            some = held_out[rows]
            scores = classifier.scores(data.train_h[rows][some])
            right += np.sum(scores.argmax(axis=1) == data.train_y[rows][some])
        accuracies.append(right)
    return strengths[int(np.argmax(accuracies))]


def _pick_by_likelihood(
    regression: _InMemory | BlockwiseRegression,
    data: LabelledFeatures,
    parts: Sequence[np.ndarray],
    strengths: Sequence[float],
    max_iter: int,
) -> float:
    """The first of the values of C that makes what the parts hold out likeliest."""
    likelihoods = []
    for c in strengths:
        scores, labels = [], []
        for held_out in parts:
            classifier, _ = regression.fit(~held_out, c, max_iter)
            scores.append(classifier.scores(data.train_h[held_out]))
            labels.append(data.train_y[held_out])
        likelihoods.append(_likelihood(np.concatenate(scores), np.concatenate(labels)))
    return strengths[int(np.argmax(likelihoods))]


def _likelihood(scores: np.ndarray, labels: np.ndarray) -> float:
    """Log-likelihood of labels `[N]` by scores `[N, C]` at their best temperature."""
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    def loss(log_scale: float) -> float:
        found = log_softmax(scores * np.exp(log_scale), axis=1)
        return -float(found[np.arange(len(labels)), labels].sum())

    return -minimize_scalar(loss, bounds=_LOG_SCALES, method="bounded").fun


class _InMemory:
    """scikit-learn's logistic regression on standardised features.

    Args:
      h: float32 or float64 `[N, D]`.
      y: integers `[N]` in [0, C).
      num_classes: C.
    """

    def __init__(self, h: np.ndarray, y: np.ndarray, num_classes: int) -> None:
        self._h = h
        self._y = y
        self._num_classes = num_classes
        self._standardised: tuple[np.ndarray, StandardScaler, np.ndarray] | None = None

    def fit(
        self, kept: np.ndarray, c: float, max_iter: int
    ) -> tuple[LinearClassifier, bool]:
        """The classifier, and whether the solver reached its tolerance.

        Args:
          kept: bool `[N]`, which rows to learn from; some of every class.
          c: inverse strength of the penalty.
          max_iter: steps of the solver at most.
        """
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        scaler, h = self._standardise(kept)
        probe = LogisticRegression(C=c, max_iter=max_iter)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            probe.fit(h, self._y[kept])
        stopped = any(issubclass(w.category, ConvergenceWarning) for w in caught)
        classifier = LinearClassifier.on_standardised(
            scaler.mean_, scaler.scale_, probe.coef_.T, probe.intercept_
        )
        return classifier, not stopped

    def _standardise(self, kept: np.ndarray) -> tuple[StandardScaler, np.ndarray]:
        """What makes the rows of mean 0 and variance 1, and these in float64."""
        from sklearn.preprocessing import StandardScaler

        found = self._standardised
        if found is None or not np.array_equal(found[0], kept):
            self._standardised = None  # Memory for one copy at a time.
            h = self._h[kept].astype(np.float64)
            scaler = StandardScaler(copy=False)
            found = kept, scaler, scaler.fit_transform(h)
            self._standardised = found
        return found[1:]


def _stratified_share(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Which examples to hold out: a share of each class, never all of it."""
    held_out = np.zeros(len(labels), dtype=bool)
    for members in _shuffled_classes(labels, seed):
        # scikit-learn's splitter refuses classes of one example, and few-shot
        # training sets have such classes.
        count = min(max(1, round(share * len(members))), len(members) - 1)
        held_out[members[:count]] = True
    return held_out


def _folds(labels: np.ndarray, share: float, seed: int) -> list[np.ndarray]:
    """Which examples to hold out in turn: about a share of each class, never all of it.

    Each example is in one of the folds, but for the only one of a class.
    """
    count = max(round(1.0 / share), 2)
    held_out = np.zeros([count, len(labels)], dtype=bool)
    for members in _shuffled_classes(labels, seed):
        if len(members) > 1:
            held_out[np.arange(len(members)) % count, members] = True
    return [fold for fold in held_out if fold.any()]


def _shuffled_classes(labels: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """The places of each class, in an order drawn by the seed."""
    generator = np.random.default_rng(seed)
    for label in np.unique(labels):
        yield generator.permutation(np.flatnonzero(labels == label))
