"""Pretraining, fine-tuning and distillation: settings, loop, run folder."""

from simclr_tf.training.build import build_augmenter, build_model
from simclr_tf.training.distillation import Distillation
from simclr_tf.training.distillation_run import distill
from simclr_tf.training.fine_tuning import FineTuning
from simclr_tf.training.finetune import finetune
from simclr_tf.training.finite_check import Diverged
from simclr_tf.training.pretrain import pretrain
from simclr_tf.training.recipe import Recipe, ResolvedRecipe
from simclr_tf.training.run_folder import RunFolder, RunFolderError
from simclr_tf.training.stopped import Stopped

__all__ = [
    "Distillation",
    "Diverged",
    "FineTuning",
    "Recipe",
    "ResolvedRecipe",
    "RunFolder",
    "RunFolderError",
    "Stopped",
    "build_augmenter",
    "build_model",
    "distill",
    "finetune",
    "pretrain",
]
