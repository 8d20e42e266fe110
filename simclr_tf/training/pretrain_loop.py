"""The loop of a pretraining: its phases of views, and what is measured of it."""

from __future__ import annotations

import dataclasses
import math

from simclr_tf.data import PretrainingData
from simclr_tf.evaluators import Monitor
from simclr_tf.image_size import height_and_width
from simclr_tf.model import Learner
from simclr_tf.training.build import build_augmenter
from simclr_tf.training.calendar import Calendar
from simclr_tf.training.feed import replica_batches
from simclr_tf.training.judge import Judge
from simclr_tf.training.recipe import ResolvedRecipe
from simclr_tf.training.run_loop import Measurement, Part


@dataclasses.dataclass(frozen=True)
class PretrainingParts:
    """The epochs of a pretraining by the size of their views.

    Attributes:
      recipe: all settings.
      data: images.
      model: that learns; each part gives it an augmenter to its views' size.
      calendar: which steps make which epoch.
      data_service: address of a tf.data service that makes the batches.
    """

    recipe: ResolvedRecipe
    data: PretrainingData
    model: Learner
    calendar: Calendar
    data_service: str | None

    def part(self, step: int) -> Part:
        """The epochs from a step on whose views have one size."""
        epoch, recipe = self.calendar.epoch_of(step), self.recipe
        size = recipe.view_size(epoch)
        end = epoch + 1
        while end < recipe.all_epochs and recipe.view_size(end) == size:
            end += 1
        self.model.augmenter = build_augmenter(recipe, size)
        batches = replica_batches(
            recipe,
            self.data.train,
            self.model,
            start_step=self.calendar.data_step(step),
            data_service=self.data_service,
        )
        return Part(end, size, batches)

    def pixels(self, images: int) -> float:
        """Pixels of a view of each of the first `images` of the run, added up."""
        recipe = self.recipe
        early = self.calendar.begin_of(recipe.early_epochs) * recipe.batch_size
        early = min(images, max(early, 0))
        late = images - early
        sizes = recipe.view_size(0), recipe.image_size
        pixels = [math.prod(height_and_width(size)) for size in sizes]
        return early * pixels[0] + late * pixels[1]


def measurement_of(
    recipe: ResolvedRecipe, model: Learner, monitor: Monitor, judge: Judge
) -> Measurement:
    """What is measured of a pretraining.

    Args:
      recipe: all settings.
      model: that learns.
      monitor: measures as it trains.
      judge: measures after the last step.
    """
    return Measurement(
        lambda: monitor.run(model),
        recipe.eval_every,
        monitor.shown,
        at_end=judge.measure_end,
    )
