"""Whether a run has learned from the images that it is measured on."""

from __future__ import annotations

from simclr_tf.data import HELD_OUT, Source, spec_of_given
from simclr_tf.training.recipe import ResolvedRecipe


def was_learned_from(recipe: ResolvedRecipe | None, test: Source) -> bool:
    """Whether a run is known to have learned from the images it is measured on.

    Args:
      recipe: the run's; None where there is none, of which nothing is known.
      test: the images to measure on.
    """
    if recipe is None or test.spec != spec_of_given(recipe.dataset):
        return False
    if test.split != HELD_OUT:
        return test.split == "train"
    elsewhere = recipe.test_dataset is not None or recipe.eval_dataset is not None
    held_out = recipe.labels and not elsewhere
    return recipe.pretrain_on_all or not held_out
