"""What labels are worth to an encoder that was pretrained, and to one that was not.

  python experiments/labels/run.py RUNS_FOLDER NAME=DATASET … [--flag=value …]

NAME is a flag file beside this script, such as cifar10, which says how an encoder is
pretrained, and DATASET is what `simclr pretrain --dataset=` takes. Other flags go to
every pretrain. What is finished is not run again: the same command goes on where it was
stopped.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parents[1]))  # Where this is run as a script.

from experiments.commands import (  # noqa: E402
    RESULT,
    Commands,
    Launch,
    launch,
    parsed,
    result_of,
    runs_parser,
)

# Shares of the training labels, and "all".
LABELS = ("0.01", "0.1", "all")
# What a student is shown, in passes over all images. Alone it is shown as many.
STUDENT_EPOCHS = 20
# Measured on the test images in the end alone, which saves a third of the time.
_AT_THE_END = "--eval_every=100000"


class Place(NamedTuple):
    """Where a seed's runs of some labels lie.

    Attributes:
      folder: of the dataset.
      labels: of `simclr finetune --train_labels=`.
      seed: of all of them.
    """

    folder: pathlib.Path
    labels: str
    seed: int

    @property
    def pretrained(self) -> pathlib.Path:
        """The run of `simclr pretrain`."""
        return self.folder / f"pretrained-seed{self.seed}"

    def of(self, name: str) -> pathlib.Path:
        """The folder of what `name` says is done with the labels."""
        return self.folder / f"{name}-{self.labels}-seed{self.seed}"


class Row(NamedTuple):
    """A way to use labels.

    Attributes:
      name: in the table.
      folder: of its results, see `Place.of`.
      command: that makes them, given the place and the student's architecture.
      labels: whether it is done with such labels.
      student: whether it trains a student, and is left out where none is named.
    """

    name: str
    folder: str
    command: Callable[[Place, str], list[str]]
    labels: Callable[[str], bool] = lambda labels: True
    student: bool = False


def _linear(place: Place, student: str) -> list[str]:
    run = f"--run={place.pretrained}"
    return ["linear_eval", run, f"--train_labels={place.labels}"]


def _linear_sgd(place: Place, student: str) -> list[str]:
    return [*_linear(place, student), "--protocol=sgd"]


def _finetune(*flags: str) -> Callable[[Place, str], list[str]]:
    def command(place: Place, student: str) -> list[str]:
        start = f"--init={place.pretrained}"
        labels = f"--train_labels={place.labels}"
        return ["finetune", start, labels, _AT_THE_END, *flags]

    return command


def _distill(place: Place, student: str) -> list[str]:
    teacher = f"--teacher={place.of('finetuned')}"
    epochs = f"--epochs={STUDENT_EPOCHS}"
    return ["distill", teacher, f"--encoder={student}", epochs, _AT_THE_END]


def _student_alone(place: Place, student: str) -> list[str]:
    epochs = f"--epochs={round(STUDENT_EPOCHS / float(place.labels))}"
    command = _finetune("--from_scratch", f"--encoder={student}", epochs)
    return command(place, student)


def _some(labels: str) -> bool:
    return labels != "all"


ROWS = (
    Row("linear", "linear", _linear),
    Row("linear, by SGD as published", "linear-sgd", _linear_sgd),
    Row("fine-tuned", "finetuned", _finetune()),
    Row(
        "fine-tuned from the head's first layer",
        "finetuned-head",
        _finetune("--head_layers_kept=1"),
        _some,
    ),
    Row(
        "fine-tuned, and on one round of its own guesses",
        "pseudo-labels",
        _finetune("--pseudo_label_rounds=1"),
        _some,
    ),
    Row("from scratch", "scratch", _finetune("--from_scratch")),
    Row("student of the fine-tuned", "student", _distill, _some, True),
    Row("student from scratch", "student-alone", _student_alone, _some, True),
)


class Comparison:
    """The runs of one dataset.

    Args:
      folder: where its runs are.
      name: of its flag file.
      dataset: of `simclr pretrain --dataset=`.
      options: of the command line.
      flags: further flags of every pretrain.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        name: str,
        dataset: str,
        options: argparse.Namespace,
        flags: Sequence[str],
    ) -> None:
        flag_file = os.path.relpath(HERE / f"{name}.txt")
        self.name = name
        self._folder = folder / name
        self._options = options
        self._rows = [row for row in ROWS if options.student or not row.student]
        self._given = [f"--flagfile={flag_file}", f"--dataset={dataset}", *flags]

    def train(self, seed: int) -> tuple[pathlib.Path, list[list[str]]]:
        """The commands of a seed that are not done."""
        places = [Place(self._folder, each, seed) for each in self._options.labels]
        run = places[0].pretrained
        commands = [] if result_of(run) else [self._pretrain(places[0])]
        for place in places:
            for row in self._rows:
                if row.labels(place.labels) and not result_of(place.of(row.folder)):
                    place.of(row.folder).mkdir(parents=True, exist_ok=True)
                    commands.append(self._command(row, place))
        return run.with_suffix(".log"), commands

    def print_table(self) -> None:
        """Prints means and ranges of top-1, and each row's command."""
        seeds, labels = self._options.seeds, self._options.labels
        print(f"\n## {self.name}\n")
        told = "1 seed" if len(seeds) == 1 else f"{len(seeds)} seeds"
        print(f"| {told} | {' | '.join(map(_told, labels))} |")
        print(f"|---|{'---|' * len(labels)}")
        for row in self._rows:
            cells = [self._cell(row, each) for each in labels]
            print(f"| {row.name} | {' | '.join(cells)} |")
        places = [Place(self._folder, each, seeds[0]) for each in labels]
        commands = [self._pretrain(places[0])]
        for row in self._rows:
            fitting = [each for each in places if row.labels(each.labels)]
            commands += [self._command(row, each) for each in fitting[:1]]
        print("\n```sh")
        for each in commands:
            print(shlex.join(["simclr", *each]))
        print("```", flush=True)

    def _pretrain(self, place: Place) -> list[str]:
        run = f"--run={place.pretrained}"
        return ["pretrain", *self._given, f"--seed={place.seed}", run]

    def _command(self, row: Row, place: Place) -> list[str]:
        command, folder = (
            row.command(place, self._options.student),
            place.of(row.folder),
        )
        evaluation = command[0] == "linear_eval"
        result = f"--output={folder / RESULT}" if evaluation else f"--run={folder}"
        return [*command, f"--seed={place.seed}", result]

    def _cell(self, row: Row, labels: str) -> str:
        if not row.labels(labels):
            return ""
        places = [Place(self._folder, labels, each) for each in self._options.seeds]
        values = [result_of(place.of(row.folder))["top1"] for place in places]
        mean = sum(values) / len(values)
        return f"{mean:.3f} ({min(values):.3f} to {max(values):.3f})"


def _told(labels: str) -> str:
    return "all labels" if labels == "all" else f"{float(labels):.0%} of the labels"


def main(arguments: Sequence[str], launch: Launch = launch) -> None:
    """Runs what is not done yet, and prints the tables.

    Args:
      arguments: of the command line.
      launch: runs `simclr` with arguments.
    """
    options, flags = _parse(arguments)
    folder = pathlib.Path(options.folder)
    comparisons = [
        Comparison(folder, name, dataset, options, flags)
        for name, dataset in options.datasets.items()
    ]
    Commands(options.jobs, launch).each(
        each.train(seed) for seed in options.seeds for each in comparisons
    )
    for each in comparisons:
        each.print_table()


def _parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = runs_parser(__doc__)
    parser.add_argument(
        "--labels",
        type=lambda text: tuple(text.split(",")),
        default=LABELS,
        help="with commas",
    )
    parser.add_argument(
        "--student",
        default="",
        help="architecture of a student, such as half the width; none by default",
    )
    return parsed(parser, arguments, sorted(p.stem for p in HERE.glob("*.txt")))


if __name__ == "__main__":
    main(sys.argv[1:])
