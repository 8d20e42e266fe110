"""What every evaluator says: what it measures of an encoder's representations."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import numpy as np


@dataclasses.dataclass(frozen=True)
class Encoded:
    """Representations of a sample of images, all finite.

    Attributes:
      bank_h: float32 `[N, D]`, of images to learn a classifier from; N is 0 where
        there are none.
      bank_y: int64 `[N]`, their labels, -1 where unknown.
      query_h: float32 `[M, D]`, of other images.
      query_y: int64 `[M]`, their labels, -1 where unknown.
      views_h: float32 `[2, M, D]`, of two augmented views of the queries, or None where
        no evaluator needs them.
      views_z: float32 `[2, M, d]`, the projections of those, or representations where
        the method has no projections.
    """

    bank_h: np.ndarray
    bank_y: np.ndarray
    query_h: np.ndarray
    query_y: np.ndarray
    views_h: np.ndarray | None
    views_z: np.ndarray | None


class Evaluator:
    """Measures representations; made once, and asked again and again.

    Examples:
      >>> class Sparsity(simclr_tf.evaluators.Evaluator):
      ...     measures = ("sparsity",)
      ...     def measure(self, encoded):
      ...         return {"sparsity": float(np.mean(encoded.query_h == 0))}, ""

    Attributes:
      measures: names of the values, for metrics.jsonl and TensorBoard.
      shown: short names, for a line of progress, of some of them.
      needs_labels: whether it is left out where images have no labels.
      needs_views: whether it reads the two views.
    """

    measures: tuple[str, ...] = ()
    shown: ClassVar[Mapping[str, str]] = {}
    needs_labels: bool = False
    needs_views: bool = False

    def measure(self, encoded: Encoded) -> tuple[dict[str, float], str]:
        """Measures.

        Returns:
          A value for each of `measures`, or for none where they cannot be told; and a
          line for a person where something is wrong, otherwise "".
        """
        raise NotImplementedError(f"{type(self).__name__} must define measure().")
