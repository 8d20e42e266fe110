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

# Side in pixels of the pictures whose pixels are a floor: layout and colours.
PIXELS = 16

ACCURACIES = ("knn_accuracy", "ridge_accuracy")


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
    """

    start: Mapping[str, float]
    pixels: Mapping[str, float]
    chance: Mapping[str, float]
    majority: float | None
    queries: int

    def to_dict(self) -> dict[str, Any]:
        """The attributes, for JSON."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Floors:
        """The floors of `to_dict`.

        Raises:
          KeyError: where one is missing.
        """
        return cls(**{f.name: values[f.name] for f in dataclasses.fields(cls)})

    def of(self, name: str) -> dict[str, float]:
        """The floors of an accuracy, by what they are of."""
        found = {}
        if name in self.start:
            found["before training"] = self.start[name]
        if name in self.pixels:
            found["pixels"] = self.pixels[name]
        if self.majority is not None and name in ACCURACIES:
            found["largest class"] = self.majority
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
    majority = pixels.pop("majority_accuracy", None)
    queries = int(pixels.pop("labelled_queries", monitor.queries))
    chance = {**chance}
    if "query_contrastive_accuracy" in start:
        chance["query_contrastive_accuracy"] = 1.0 / (2 * monitor.queries - 1)
    return Floors(start, pixels, chance, majority, queries)
