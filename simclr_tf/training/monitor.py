"""What measures the encoder of a run as it trains."""

from __future__ import annotations

from simclr_tf.data import PretrainingData
from simclr_tf.evaluators import Monitor, make_evaluators
from simclr_tf.model import Learner
from simclr_tf.training.recipe import ResolvedRecipe


def make_monitor(
    recipe: ResolvedRecipe, data: PretrainingData, model: Learner
) -> Monitor:
    """It measures on the images learned from where there are no others."""
    return Monitor(
        make_evaluators(recipe.eval),
        data.bank,
        data.train if data.queries is None else data.queries,
        recipe.image_size,
        model.augmenter,
    )
