"""Logistic regression on features that do not fit in memory."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from simclr_tf.evaluation.blocks import row_blocks
from simclr_tf.evaluation.linear_classifier import LinearClassifier
from simclr_tf.evaluation.standardisation import mean_and_scale

_TOLERANCE = 1e-4  # scikit-learn's, of the largest entry of the gradient


class BlockwiseRegression:
    """Multinomial logistic regression that reads its features block by block.

    What it minimises is what scikit-learn's `LogisticRegression` does, on standardised
    features, by the same L-BFGS (SciPy's): the mean cross entropy and an L2 penalty.
    Loss and gradient are sums over blocks of rows, computed in the features' dtype by
    TensorFlow, on a GPU where there is one, and added up in float64.

    Memory beside the features, which may be a memory-mapped file, does not grow with
    their number N: some 250 MB for TensorFlow and its blocks, and 30 D C float64
    numbers for the solver. For ImageNet (N = 1,281,167, D = 2,048, C = 1,000) these are
    500 MB, and the file 10.5 GB. Each step reads all features once and takes 4 N D C
    multiplications and additions.

    Args:
      h: float32 or float64 `[N, D]`, an array or a memory-mapped file.
      y: integers `[N]` in [0, C).
      num_classes: C, 2 or more.
    """

    def __init__(self, h: np.ndarray, y: np.ndarray, num_classes: int) -> None:
        self._h = h
        self._y = y.astype(np.int32)
        # Of two classes, as in scikit-learn, the second alone has weights.
        self._columns = 1 if num_classes == 2 else num_classes

    def fit(
        self,
        kept: np.ndarray,
        c: float,
        max_iter: int,
        *,
        tolerance: float = _TOLERANCE,
    ) -> tuple[LinearClassifier, bool]:
        """The classifier, and whether the solver reached its tolerance.

        Args:
          kept: bool `[N]`, which rows to learn from.
          c: scikit-learn's C, inverse strength of the penalty.
          max_iter: steps of the solver at most.
          tolerance: the largest entry that the gradient may have in the end.
        """
        # A tenth of a second, which most commands do not need.
        from scipy.optimize import minimize

        mean, scale = mean_and_scale(self._h, kept)
        width, columns = self._h.shape[1], self._columns
        penalty = 1.0 / (c * kept.sum())

        def objective(values: np.ndarray) -> tuple[float, np.ndarray]:
            weights = values[: width * columns].reshape(width, columns)
            offsets = values[width * columns :]
            loss, gradient = self._loss(kept, mean, scale, weights, offsets)
            gradient[: width * columns] += penalty * weights.ravel()
            return loss + 0.5 * penalty * float(np.sum(weights**2)), gradient

        found = minimize(
            objective,
            np.zeros(width * columns + columns),
            method="L-BFGS-B",
            jac=True,
            options={"maxiter": max_iter, "maxls": 50, "gtol": tolerance, "ftol": 0.0},
        )
        weights = found.x[: width * columns].reshape(width, columns)
        classifier = LinearClassifier.on_standardised(
            mean, scale, weights, found.x[width * columns :]
        )
        return classifier, bool(found.success)

    def _loss(
        self,
        kept: np.ndarray,
        mean: np.ndarray,
        scale: np.ndarray,
        weights: np.ndarray,
        offsets: np.ndarray,
    ) -> tuple[float, np.ndarray]:
        """Mean cross entropy of the rows kept, and its gradient, flat in float64."""
        shared = [
            tf.constant(each, self._h.dtype) for each in (mean, scale, weights, offsets)
        ]
        loss, by_weights, by_offsets = (
            0.0,
            np.zeros(weights.shape),
            np.zeros(len(offsets)),
        )
        alone = self._columns == 1
        for rows in row_blocks(self._h):
            losses = _block_loss(
                self._h[rows], self._y[rows], kept[rows], *shared, alone
            )
            loss += float(losses[0])
            by_weights += losses[1].numpy()
            by_offsets += losses[2].numpy()
        gradient = np.concatenate([by_weights.ravel(), by_offsets])
        return loss / kept.sum(), gradient / kept.sum()


@tf.function(autograph=False, reduce_retracing=True)
def _block_loss(
    h: tf.Tensor,
    y: tf.Tensor,
    kept: tf.Tensor,
    mean: tf.Tensor,
    scale: tf.Tensor,
    weights: tf.Tensor,
    offsets: tf.Tensor,
    alone: bool,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The cross entropies of a block's kept rows, added up, and their gradients.

    `alone` says that the weights are those of the second of two classes.
    """
    z = (h - mean) / scale
    logits = tf.matmul(z, weights) + offsets
    if alone:
        logits = tf.concat([tf.zeros_like(logits), logits], axis=1)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
    count = tf.cast(kept, h.dtype)
    truth = tf.one_hot(y, tf.shape(logits)[1], dtype=h.dtype)
    error = tf.nn.softmax(logits) - truth
    error *= count[:, None]
    if alone:
        error = error[:, 1:]
    total = tf.reduce_sum(tf.cast(losses * count, tf.float64))
    return total, tf.matmul(z, error, transpose_a=True), tf.reduce_sum(error, axis=0)
