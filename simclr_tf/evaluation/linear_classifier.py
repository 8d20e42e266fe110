"""A linear classifier of representations."""

from __future__ import annotations

import dataclasses

import numpy as np

from simclr_tf.evaluation.blocks import row_blocks


@dataclasses.dataclass(frozen=True)
class LinearClassifier:
    """Scores of classes as linear functions of a representation.

    Attributes:
      weights: floating point `[D, C]`.
      offsets: floating point `[C]`.
    """

    weights: np.ndarray
    offsets: np.ndarray

    @classmethod
    def on_standardised(
        cls,
        mean: np.ndarray,
        scale: np.ndarray,
        weights: np.ndarray,
        offsets: np.ndarray,
    ) -> LinearClassifier:
        """One of standardised features, as one of the features themselves.

        Args:
          mean: `[D]`, what is taken from the features.
          scale: `[D]`, what they are then divided by.
          weights: of standardised features `[D, C]`; or `[D, 1]` of the second of two
            classes, whose score is then compared with 0.
          offsets: `[C]`, or `[1]`.
        """
        if weights.shape[1] == 1:  # Softmax of these is the sigmoid of that.
            weights = np.concatenate([np.zeros_like(weights), weights], axis=1)
            offsets = np.concatenate([np.zeros_like(offsets), offsets])
        weights = weights / scale[:, None]
        return cls(weights, offsets - mean @ weights)

    def scores(self, features: np.ndarray) -> np.ndarray:
        """Logits `[N, C]` in float64 of features `[N, D]`."""
        found = np.empty([len(features), len(self.offsets)])
        for rows in row_blocks(features):
            found[rows] = features[rows].astype(np.float64) @ self.weights
        return found + self.offsets
