"""What linear_eval and knn share: features, a judge, a result."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

import tensorflow as tf
from absl import flags

from simclr_tf.cli import encoder_flags
from simclr_tf.cli.command import UsageError
from simclr_tf.data import DataError, load_train_and_test
from simclr_tf.evaluation import EvaluationResult


def define(values: flags.FlagValues) -> None:
    """Adds the flags."""
    encoder_flags.define(values)
    flags.DEFINE_string(
        "dataset",
        None,
        "labelled images: shapes, npz:PATH, folder:PATH, tfrecord:GLOB or tfds:NAME; "
        "the run's own by default",
        flag_values=values,
    )
    flags.DEFINE_string(
        "test_dataset",
        None,
        "labelled images to measure on; the dataset's test split by default, or a "
        "fifth of it held out",
        flag_values=values,
    )
    flags.DEFINE_string(
        "output",
        None,
        "JSON file for the result; a file in the run folder by default",
        flag_values=values,
    )


def run(
    values: flags.FlagValues, name: str, judge: Callable[..., EvaluationResult]
) -> None:
    """Encodes both splits, judges the features, prints and writes the result."""
    loaded = encoder_flags.load(values)
    dataset = values.dataset or loaded.dataset
    if dataset is None:
        raise UsageError("Name the labelled images with --dataset.")
    own_test = None if values.dataset else loaded.test_dataset
    train, test = load_train_and_test(
        dataset, values.test_dataset or own_test, image_size=loaded.image_size
    )
    for source in (train, test):
        if source.num_classes is None:
            raise DataError(
                f"{source} has no labels, and an evaluation needs them. In a folder, "
                "put each class into a subfolder of its own."
            )
    print(f"Train: {train}\nTest: {test}")
    train_h, train_y = encoder_flags.features(loaded, train, values.batch_size)
    test_h, test_y = encoder_flags.features(loaded, test, values.batch_size)
    result = judge(train_h, train_y, test_h, test_y)
    print(result)
    _write(values, name, result)


def _write(values: flags.FlagValues, name: str, result: EvaluationResult) -> None:
    path = values.output
    if path is None and values.run:
        kind = f"{name}_random" if values.random else name
        path = os.path.join(values.run, f"{kind}.json")
    if path is not None:
        with tf.io.gfile.GFile(path, "w") as file:
            file.write(json.dumps(result.to_dict(), indent=2) + "\n")
        print(f"Written to {path}.")
