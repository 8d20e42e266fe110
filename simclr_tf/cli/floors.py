"""The floors of an accuracy that knn and linear_eval measure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from simclr_tf.cli import encoder_flags
from simclr_tf.data import Source
from simclr_tf.evaluation import EvaluationResult
from simclr_tf.evaluation.bare_pixels import bare_pixels
from simclr_tf.evaluators.evaluator import Encoded
from simclr_tf.evaluators.floors import PIXELS
from simclr_tf.evaluators.majority import MajorityEvaluator

Judge = Callable[..., EvaluationResult]


@dataclasses.dataclass(frozen=True)
class Floors:
    """Accuracies of what has learned nothing, on the images of a result.

    Attributes:
      pixels: of small pictures of the images, see `bare_pixels`.
      largest_class: of naming the most frequent class each time.
    """

    pixels: EvaluationResult
    largest_class: float

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        pixels = {"pixels": self.pixels.top1, "pixels_method": self.pixels.method}
        return {**pixels, "largest_class": self.largest_class}

    def __str__(self) -> str:
        pixels = f"{self.pixels.method} on pixels of {PIXELS} px {self.pixels.top1:.4f}"
        return f"{pixels}, largest class {self.largest_class:.4f}"


def measure(
    loaded: encoder_flags.Loaded,
    train: Source,
    test: Source,
    judge: Judge,
    batch_size: int,
) -> Floors:
    """The floors of an evaluation.

    Args:
      loaded: says what the encoder sees of images.
      train: labelled images to learn from.
      test: labelled images to measure on.
      judge: of pixels.
      batch_size: images read at a time.
    """
    pixels = loaded._replace(encoder=bare_pixels(PIXELS))
    arrays: list[Any] = []
    for source in (train, test):  # What cannot be read of them has been told.
        arrays += encoder_flags.features(pixels, source, batch_size, tell=False)
    train_h, train_y, test_h, test_y = arrays
    encoded = Encoded(train_h, train_y, test_h, test_y, None, None)
    # Where there is one class alone, its name is always right.
    majority, _ = MajorityEvaluator().measure(encoded)
    return Floors(judge(*arrays), majority.get("majority_accuracy", 1.0))
