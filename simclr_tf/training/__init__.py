"""Pretraining: recipe, loop, run folder."""

from simclr_tf.training.build import build_augmenter, build_model
from simclr_tf.training.pretrain import Diverged, Stopped, pretrain
from simclr_tf.training.recipe import Recipe, ResolvedRecipe
from simclr_tf.training.run_folder import RunFolder, RunFolderError

__all__ = [
    "Diverged",
    "Recipe",
    "ResolvedRecipe",
    "RunFolder",
    "RunFolderError",
    "Stopped",
    "build_augmenter",
    "build_model",
    "pretrain",
]
