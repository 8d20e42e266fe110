"""Names of evaluators."""

from __future__ import annotations

from collections.abc import Callable

from simclr_tf.errors import UserError
from simclr_tf.evaluators.classifiers import KnnEvaluator, RidgeEvaluator
from simclr_tf.evaluators.contrastive import ContrastiveEvaluator
from simclr_tf.evaluators.evaluator import Evaluator
from simclr_tf.evaluators.geometry import GeometryEvaluator

_EVALUATORS: dict[str, Callable[[], Evaluator]] = {
    "knn": KnnEvaluator,
    "ridge": RidgeEvaluator,
    "geometry": GeometryEvaluator,
    "contrastive": ContrastiveEvaluator,
}

EVALUATORS = tuple(_EVALUATORS)


def make_evaluators(names: str) -> list[Evaluator]:
    """The evaluators of a list such as "knn,geometry"; "" is none.

    Raises:
      UserError: where a name is unknown or given twice.
    """
    parts = [part.strip() for part in names.split(",")] if names.strip() else []
    for part in parts:
        if part not in _EVALUATORS:
            raise UserError(
                f"eval must be names of {', '.join(EVALUATORS)} with commas between "
                f"them, got {part!r}."
            )
    if len(set(parts)) < len(parts):
        raise UserError(f"eval must name each evaluator once, got {names!r}.")
    return [_EVALUATORS[part]() for part in parts]
