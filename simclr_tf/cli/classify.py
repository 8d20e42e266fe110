"""`simclr classify`: a trained classifier's answers for images."""

from __future__ import annotations

import csv
import io
import json
import os

import numpy as np
from absl import flags

from simclr_tf.cli import confusion_files, output, strategy_flags
from simclr_tf.cli.command import UsageError, Work
from simclr_tf.data import NOTATION
from simclr_tf.distribution.crew import Crew
from simclr_tf.evaluation.confusion import describe_classes
from simclr_tf.messages import say
from simclr_tf.training.classification import Classified, classify
from simclr_tf.training.classifier_accuracy import Accuracies


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string(
        "run",
        None,
        "run folder of simclr finetune or distill",
        flag_values=values,
    )
    flags.DEFINE_string(
        "dataset",
        None,
        f"images, labelled or not: {NOTATION}; the run's own test images by default",
        flag_values=values,
    )
    flags.DEFINE_string(
        "split",
        None,
        "split of the dataset; test by default, or all of a dataset without one",
        flag_values=values,
    )
    flags.DEFINE_string(
        "output",
        "classes.csv",
        "file to write, .csv: a line for each image. Where labels are known, figures "
        "and the confusion matrix go beside it",
        flag_values=values,
    )
    strategy_flags.define(values)


def _run(values: flags.FlagValues) -> None:
    if not values.run:
        raise UsageError("Name a run of simclr finetune or distill with --run.")
    output.require_ending(values.output, [".csv"])
    output.require_writable_file(values.output)
    strategy = strategy_flags.strategy(values)
    found = classify(values.run, values.dataset, values.split, strategy=strategy)
    if Crew(strategy).is_chief:
        _write(found, values.output)


def _write(found: Classified, path: str) -> None:
    """Writes the table, and figures where labels are known; says what is where."""
    output.write(path, _table(found).encode("utf-8", "surrogateescape"))
    read = ~np.isnan(found.probabilities).any(axis=1)
    if not read.all():
        say(f"{(~read).sum():,} images have no class in the table.")
    if found.accuracies is not None:
        _write_figures(found, found.accuracies, path)
    say(f"The classes of {read.sum():,} images are in {path}.")


def _table(found: Classified) -> str:
    """Lines of path, index, guess, probability and, where there are labels, class."""
    names = np.array([*found.names, ""], object)  # That of -1 is the last.
    count = len(found.probabilities)
    read = ~np.isnan(found.probabilities).any(axis=1)
    guesses = np.where(read, np.argmax(found.probabilities, axis=1), -1)
    likely = found.probabilities.max(axis=1)
    columns = {
        "path": found.source.paths,
        "index": range(count),
        "guess": names[guesses],
        "probability": [f"{p:.6f}" if known else "" for p, known in zip(likely, read)],
        "class": None if found.labels is None else names[found.labels],
    }
    there = {name: column for name, column in columns.items() if column is not None}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(there)
    writer.writerows(zip(*there.values()))
    return text.getvalue()


def _write_figures(found: Classified, accuracies: Accuracies, path: str) -> None:
    """Says the accuracies, and writes them beside the table."""
    say(
        f"Of {accuracies.images:,} images whose class is known: {accuracies}; to name "
        f"the largest class each time {accuracies.largest_class:.4f}."
    )
    figures = {**accuracies._asdict(), "classes": found.names}
    file = f"{os.path.splitext(path)[0]}.json"
    output.write(file, (json.dumps(figures, indent=2) + "\n").encode())
    if accuracies.confusion is None:
        say(f"Figures are in {file}.")
        return
    confusion = np.array(accuracies.confusion)
    say(describe_classes(confusion, found.names))
    picture = confusion_files.write_confusion(
        confusion, found.names, "classifier", path
    )
    say(f"Figures are in {file}, and which classes are mistaken in {picture}.")


WORK = Work(
    define=_define,
    run=_run,
    example="simclr classify --run=runs/labels --dataset=folder:new --output=new.csv",
)
