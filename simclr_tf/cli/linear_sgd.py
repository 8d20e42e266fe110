"""Linear evaluation by SGD on augmented images, as published."""

from __future__ import annotations

import json
import os

import numpy as np
from absl import flags

from simclr_tf.cli import (
    confusion_files,
    evaluate,
    output,
    saving_flags,
    strategy_flags,
)
from simclr_tf.cli.command import UsageError
from simclr_tf.encoder.freezing import EVERYTHING
from simclr_tf.evaluation import EvaluationResult
from simclr_tf.messages import say
from simclr_tf.training import finetune
from simclr_tf.training.fine_tuning import FineTuning

# What the published code trains a linear classifier with (README of SimCLR v2).
EPOCHS, LEARNING_RATE = 90, 0.1
_OWN = ("epochs", "learning_rate", "train_batch_size", "strategy", "data_service")


def define(values: flags.FlagValues) -> None:
    """Adds the flags."""
    flags.DEFINE_integer(
        "epochs",
        EPOCHS,
        "passes over the labelled images, of --protocol=sgd",
        lower_bound=1,
        flag_values=values,
    )
    flags.DEFINE_float(
        "learning_rate",
        LEARNING_RATE,
        "of --protocol=sgd, x batch/256",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "train_batch_size",
        None,
        "images a step, of --protocol=sgd; the published 4096 suits a million images, "
        "and the default is that of simclr finetune",
        lower_bound=2,
        flag_values=values,
    )
    strategy_flags.define(values)
    saving_flags.define(values)


def require_unused(values: flags.FlagValues) -> None:
    """Raises UsageError where a flag of SGD is given to another protocol."""
    for name in _OWN:
        if values[name].present:
            raise UsageError(f"--{name} is of --protocol=sgd alone.")


def run(values: flags.FlagValues) -> None:
    """Trains the classifier in a run folder of its own, and writes the result.

    Raises:
      UserError: see `finetune`.
    """
    named = [n for n in ("run", "saved_model") if values[n].value]
    if values.random or values.published or len(named) != 1:
        raise UsageError(
            "--protocol=sgd needs --run=FOLDER or --saved_model=FOLDER; published "
            "weights are brought into a run by simclr convert."
        )
    path = evaluate.result_path(values, "linear_eval_sgd")
    if path is None:
        raise UsageError("--protocol=sgd needs --output=FILE where there is no --run.")
    output.require_writable_file(path)
    value_range = values.value_range
    settings = FineTuning(
        init=values[named[0]].value,
        dataset=values.dataset,
        test_dataset=values.test_dataset,
        train_labels=values.train_labels,
        fine_tune_after_block=EVERYTHING,
        image_size=values.image_size,
        value_range=None if value_range is None else "{},{}".format(*value_range),
        encoder=values.encoder,
        learning_rate=values.learning_rate,
        weight_decay=0.0,
        warmup_epochs=0.0,
        batch_size=values.train_batch_size,
        epochs=values.epochs,
        precision=values.precision,
        seed=values.seed,
    )
    found = finetune(
        settings,
        os.path.splitext(path)[0],
        strategy=strategy_flags.strategy(values),
        **saving_flags.arguments(values),
    )
    if found:  # Of a worker that is not the chief there is nothing.
        _write(found, values, path)


def _write(found: dict, values: flags.FlagValues, path: str) -> None:
    confusion = found["confusion"]
    result = EvaluationResult(
        method="linear probe by SGD",
        top1=found["top1"],
        top5=found["top5"],
        num_classes=len(found["classes"]),
        num_train=found["labels_used"],
        num_test=found["images"],
        num_unlabelled=0,
        hyperparameters={
            "learning_rate": values.learning_rate,
            "epochs": found["epochs"],
        },
        converged=None,
        seconds=found["seconds"],
        mean_per_class=found["mean_per_class"],
        confusion=None if confusion is None else np.array(confusion),
    )
    figures = {
        **result.to_dict(),
        "standard_error": found["standard_error"],
        "train_labels": values.train_labels,
        "labels_used": found["labels_used"],
        "floors": {"largest_class": found["largest_class"]},
        "pretrained_on_test_images": found["pretrained_on_test_images"],
    }
    output.write(path, (json.dumps(figures, indent=2) + "\n").encode())
    if result.confusion is not None:
        confusion_files.write_confusion(
            result.confusion, found["classes"], result.method, path
        )
    say(f"{result}\nWritten to {path}.")
