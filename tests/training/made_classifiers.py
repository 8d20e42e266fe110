"""Run folders like those of finetune and distill, made without a step of training."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from simclr_tf.methods.supervised import SupervisedMethod
from simclr_tf.training import Distillation, FineTuning, RunFolder
from simclr_tf.training.classifier import Classes, build_classifier
from simclr_tf.training.distillation import DISTILLATION
from simclr_tf.training.fine_tuning import FINETUNING
from tests import tiny

_SETTINGS = {
    "encoder": tiny.NAME,
    "image_size": 16,
    "channels": 3,
    "batch_size": 4,
    "epochs": 1,
    "precision": "float32",
}


def make_classifier(path, settings: FineTuning | Distillation, names) -> str:
    """A run that has not ended, after step 3, and has learned nothing; its path.

    Args:
      path: of the folder.
      settings: what a user says; an encoder for images of 16 pixels by default.
      names: of its classes.
    """
    missing = {k: v for k, v in _SETTINGS.items() if getattr(settings, k) is None}
    if isinstance(settings, Distillation) and settings.train_labels is None:
        missing["train_labels"] = "all"
    resolved = dataclasses.replace(settings, **missing).resolve(20)
    kind = FINETUNING if isinstance(settings, FineTuning) else DISTILLATION
    run, classes = RunFolder(str(path), kind), Classes(list(names))
    run.start(resolved)
    classes.write(run)
    model = build_classifier(resolved, classes, SupervisedMethod())
    tf.train.Checkpoint(model=model).write(f"{run.checkpoints}/ckpt-3")
    return run.path
