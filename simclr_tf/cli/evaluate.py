"""What linear_eval and knn share: features, a judge, a result."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence

from absl import flags

from simclr_tf.cli import confusion_files, encoder_flags, floors, output
from simclr_tf.cli.command import UsageError
from simclr_tf.cli.kept_classifier import keep_classifier
from simclr_tf.data import (
    NOTATION,
    DataError,
    Source,
    labelled_part,
    load_train_and_test,
)
from simclr_tf.data.train_labels import choose_train_labels, require_train_labels
from simclr_tf.evaluation import EvaluationResult
from simclr_tf.evaluation.confusion import describe_classes
from simclr_tf.evaluators.verdict import standard_error
from simclr_tf.messages import say
from simclr_tf.training.learned_from import was_learned_from


def define(values: flags.FlagValues) -> None:
    """Adds the flags."""
    encoder_flags.define(values)
    flags.DEFINE_string(
        "dataset",
        None,
        f"labelled images: {NOTATION}; the run's own by default",
        flag_values=values,
    )
    flags.DEFINE_string(
        "test_dataset",
        None,
        "labelled images to measure on, in the same notation; the dataset's test "
        "split by default, or a fifth of it held out",
        flag_values=values,
    )
    flags.DEFINE(
        encoder_flags.Parsed(_checked_train_labels),
        "train_labels",
        "all",
        "labels to fit on: all; a share, such as 0.01, equally many of each class; "
        "25-per-class; or file:PATH, names of image files, with their folders where "
        "they repeat, or their places in the dataset, a line each",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "seed",
        0,
        "seed of which labels those are, and of which linear_eval holds out to choose "
        "its penalty",
        lower_bound=0,
        flag_values=values,
    )
    flags.DEFINE_string(
        "output",
        None,
        "JSON file for the result; a file in the run folder by default",
        flag_values=values,
    )


def run(
    values: flags.FlagValues,
    name: str,
    judge: floors.Judge,
    pixel_judge: floors.Judge | None = None,
) -> None:
    """Encodes both splits, judges the features, prints and writes the result.

    Args:
      values: of the flags.
      name: of the file for the result.
      judge: of features.
      pixel_judge: of the images' pixels, a floor; where that is another one.
    """
    if values.output is not None:
        output.require_writable_file(values.output)
    loaded = encoder_flags.load(values)
    path = result_path(values, name)
    if path is not None:
        output.require_writable_file(path)
    train, test = _images(values, loaded)
    learned_from = was_learned_from(loaded.recipe, test) and not values.random
    if learned_from:
        say(
            "The encoder was pretrained on the test images too: the figures will be "
            "better than on new images."
        )
    train_h, train_y = encoder_flags.features(loaded, train, values.batch_size)
    test_h, test_y = encoder_flags.features(loaded, test, values.batch_size)
    result = judge(train_h, train_y, test_h, test_y)
    below = floors.measure(loaded, train, test, pixel_judge or judge, values.batch_size)
    error = standard_error(result.top1, result.num_test)
    say(f"{result}\nStandard error {error:.4f}; of what has learned nothing: {below}.")
    names = confusion_files.names_of_classes(result, train.class_names)
    if result.confusion is not None:
        say(describe_classes(result.confusion, names))
    if not values.random:
        say("The encoder before it learned: the same command with --random.")
    if path is not None:
        figures = {
            **result.to_dict(),
            "standard_error": error,
            "train_labels": values.train_labels,
            "labels_used": result.num_train,
            "floors": below.to_dict(),
            "pretrained_on_test_images": learned_from,
        }
        output.write(path, (json.dumps(figures, indent=2) + "\n").encode())
        picture = confusion_files.write_confusion(
            result.confusion, names, result.method, path
        )
        say(f"Written to {path}, and which classes are mistaken to {picture}.")
        _keep_classifier(values, loaded, result, names, path)


def _images(
    values: flags.FlagValues, loaded: encoder_flags.Loaded
) -> tuple[Source, Source]:
    """The labelled images to learn from, and those to measure on, which it says."""
    dataset = values.dataset or loaded.dataset
    if dataset is None:
        raise UsageError("Name the labelled images with --dataset.")
    own_test = None if values.dataset else loaded.test_dataset
    train, test = load_train_and_test(
        dataset,
        values.test_dataset or own_test,
        image_size=loaded.loaded_size,
        form=loaded.form,
    )
    for source in (train, test):
        if source.num_classes is None:
            raise DataError(
                f"{source} has no labels, and an evaluation needs them. In a folder, "
                "put each class into a subfolder of its own."
            )
    say(f"Train: {train}\nTest: {test}")
    for note in dict.fromkeys((train.class_note, test.class_note)):
        if note:
            say(note)
    return _with_train_labels(values, train), labelled_part(test)


def _keep_classifier(
    values: flags.FlagValues,
    loaded: encoder_flags.Loaded,
    result: EvaluationResult,
    names: Sequence[str],
    path: str,
) -> None:
    """Keeps a linear classifier beside its result; one of random features is no use."""
    if result.classifier is None or values.random:
        return
    folder = f"{os.path.splitext(path)[0]}_classifier"
    if keep_classifier(loaded, result.classifier, names, values, folder):
        say(f"The classifier is {folder}, a SavedModel.")
    else:
        say(
            "No classifier is kept: that needs the encoder of --run or --published, "
            "not of --saved_model."
        )


def _checked_train_labels(said: str) -> str:
    require_train_labels(said)
    return said


def _with_train_labels(values: flags.FlagValues, train: Source) -> Source:
    """The images whose labels are used, which it says where they are not all."""
    if values.train_labels == "all":
        return labelled_part(train)
    chosen = choose_train_labels(train, values.train_labels, values.seed)
    say(chosen.note)
    return chosen.labelled


def result_path(values: flags.FlagValues, name: str) -> str | None:
    """The file for the result, if any."""
    if values.output is not None or not values.run:
        return values.output
    kind = f"{name}_random" if values.random else name
    if values.train_labels != "all":  # Beside the figures of all labels.
        kind += "_" + re.sub(r"[^\w.-]+", "_", os.path.basename(values.train_labels))
    return os.path.join(values.run, f"{kind}.json")
