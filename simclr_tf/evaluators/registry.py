"""Names of evaluators."""

from __future__ import annotations

import collections
from collections.abc import Callable

from simclr_tf.dotted_names import import_class, is_dotted
from simclr_tf.errors import UserError
from simclr_tf.evaluators.classifiers import KnnEvaluator, RidgeEvaluator
from simclr_tf.evaluators.contrastive import ContrastiveEvaluator
from simclr_tf.evaluators.evaluator import Evaluator
from simclr_tf.evaluators.geometry import GeometryEvaluator
from simclr_tf.suggestions import did_you_mean

_EVALUATORS: dict[str, Callable[[], Evaluator]] = {
    "knn": KnnEvaluator,
    "ridge": RidgeEvaluator,
    "geometry": GeometryEvaluator,
    "contrastive": ContrastiveEvaluator,
}

EVALUATORS = tuple(_EVALUATORS)


def make_evaluators(names: str) -> list[Evaluator]:
    """The evaluators of a list such as "knn,geometry"; "" is none.

    Args:
      names: with commas between them; each is one of `EVALUATORS`, or
        "package.module:Class" of your own, which is made without arguments.

    Raises:
      UserError: where a name is unknown or given twice, two evaluators measure values
        of one name, or a class is no `Evaluator`.
    """
    parts = [part.strip() for part in names.split(",")] if names.strip() else []
    for part in parts:
        if part not in _EVALUATORS and not is_dotted(part):
            raise UserError(
                f"eval must be names of {', '.join(EVALUATORS)}, or "
                "package.module:Class of your own, with commas between them, got "
                f"{part!r}.{did_you_mean(part, EVALUATORS)}"
            )
    if len(set(parts)) < len(parts):
        raise UserError(f"eval must name each evaluator once, got {names!r}.")
    evaluators = [_make(part) for part in parts]
    counts = collections.Counter(n for each in evaluators for n in each.measures)
    several = [name for name, count in counts.items() if count > 1]
    if several:
        raise UserError(f"eval {names!r}: more than one measures {several[0]!r}.")
    return evaluators


def _make(name: str) -> Evaluator:
    if not is_dotted(name):
        return _EVALUATORS[name]()
    kind = import_class("eval", name, Evaluator)
    try:
        return kind()
    except TypeError as error:
        raise UserError(
            f"eval {name!r} must be a class that is made without arguments: {error}."
        ) from error
