"""What figures must be above before anything was learned."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from simclr_tf.evaluation.bare_pixels import bare_pixels
from simclr_tf.evaluators.classifiers import KnnEvaluator, RidgeEvaluator
from simclr_tf.evaluators.contrastive import ContrastiveEvaluator
from simclr_tf.evaluators.evaluator import Evaluator
from simclr_tf.evaluators.geometry import CollapseEvaluator, GeometryEvaluator
from simclr_tf.evaluators.majority import MajorityEvaluator
from simclr_tf.evaluators.monitor import Monitor
from simclr_tf.evaluators.share import which_were_right

# Side in pixels of the pictures whose pixels are a floor: layout and colours.
PIXELS = 16

ACCURACIES = ("knn_accuracy", "ridge_accuracy")

# What floors are of, in words.
BEFORE, _PIXELS, _MAJORITY = "before training", "pixels", "largest class"
_FIGURES = ("start", "pixels", "chance", "majority", "queries")

# By whose accuracy, and by its name, which queries were right.
Right = Mapping[str, Mapping[str, str]]


def verdict_evaluators() -> list[Evaluator]:
    """Measure what `verdict` reads, at the beginning and at the end."""
    return [
        KnnEvaluator(),
        RidgeEvaluator(),
        GeometryEvaluator(),
        CollapseEvaluator(),
        ContrastiveEvaluator(),
    ]


@dataclasses.dataclass(frozen=True)
class Floors:
    """Figures of what has learned nothing, on the sample of a `Monitor`.

    Attributes:
      start: of the encoder before its first step: untrained, or as it was initialised.
      pixels: accuracies of the images' pixels, see `bare_pixels`; none without labels.
      chance: of the method's measures, see `Method.chance`.
      majority: accuracy of naming the most frequent class; None without labels.
      queries: images measured; those with labels, where there are labels.
      right: which queries were right, by whose accuracy (the names of `of`) and by its
        name, see `which_were_right`; nothing where that was not noted.
    """

    start: Mapping[str, float]
    pixels: Mapping[str, float]
    chance: Mapping[str, float]
    majority: float | None
    queries: int
    right: Right = dataclasses.field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The figures, for JSON: the attributes but for `right`."""
        return {name: getattr(self, name) for name in _FIGURES}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], right: Right | None = None) -> Floors:
        """The floors of `to_dict`, and `right`.

        Raises:
          KeyError: where a figure is missing.
        """
        return cls(**{name: values[name] for name in _FIGURES}, right=right or {})

    def of(self, name: str) -> dict[str, float]:
        """The floors of an accuracy, by what they are of."""
        found = {}
        if name in self.start:
            found[BEFORE] = self.start[name]
        if name in self.pixels:
            found[_PIXELS] = self.pixels[name]
        if self.majority is not None and name in ACCURACIES:
            found[_MAJORITY] = self.majority
        return found


def measure_floors(monitor: Monitor, model: Any, chance: Mapping[str, float]) -> Floors:
    """Measures a model that has taken no step; all workers must call this.

    Args:
      monitor: encodes its sample.
      model: a `Learner`.
      chance: see `Floors`.
    """
    start, _ = monitor.run(model, verdict_evaluators(), alone=True)
    judges = [KnnEvaluator(), RidgeEvaluator(), MajorityEvaluator()]
    pixels, _ = monitor.run(bare_pixels(PIXELS), judges, alone=True)
    right = {BEFORE: which_were_right(start), _PIXELS: which_were_right(pixels)}
    largest = right[_PIXELS].pop("majority_accuracy", None)
    if largest is not None:
        right[_MAJORITY] = dict.fromkeys(ACCURACIES, largest)
    majority = pixels.pop("majority_accuracy", None)
    queries = int(pixels.pop("labelled_queries", monitor.queries))
    chance = {**chance}
    if "query_contrastive_accuracy" in start:
        chance["query_contrastive_accuracy"] = 1.0 / (2 * monitor.queries - 1)
    return Floors(start, pixels, chance, majority, queries, right)
