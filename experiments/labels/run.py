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
    Commands,
    Launch,
    launch,
    numbers,
    result_of,
    runs_parser,
)

# Shares of the training labels, and "all".
LABELS = ("0.01", "0.1", "all")


class Row(NamedTuple):
    """A way to use labels.

    Attributes:
      name: in the table.
      folder: of its results, within a seed's; `{}` stands for the labels.
      command: that makes them, given the pretrained run, the labels and the folder.
    """

    name: str
    folder: str
    command: Callable[[str, str, str], list[str]]


def _linear(run: str, labels: str, folder: str) -> list[str]:
    output = os.path.join(folder, "result.json")
    return [
        *("linear_eval", f"--run={run}", f"--train_labels={labels}"),
        f"--output={output}",
    ]


def _finetune(*flags: str) -> Callable[[str, str, str], list[str]]:
    def command(run: str, labels: str, folder: str) -> list[str]:
        return [
            *("finetune", f"--init={run}", f"--train_labels={labels}", *flags),
            f"--run={folder}",
        ]

    return command


ROWS = (
    Row("linear", "linear-{}", _linear),
    Row("fine-tuned", "finetuned-{}", _finetune()),
    Row(
        "fine-tuned from the head's first layer",
        "finetuned-head-{}",
        _finetune("--head_layers_kept=1"),
    ),
    Row("from scratch", "scratch-{}", _finetune("--from_scratch")),
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
        if not os.path.exists(flag_file):
            raise SystemExit(f"{name}=: there is no flag file {flag_file}")
        self.name = name
        self._folder = folder / name
        self._seeds: Sequence[int] = options.seeds
        self._labels: Sequence[str] = options.labels
        self._given = [f"--flagfile={flag_file}", f"--dataset={dataset}", *flags]

    def train(self, seed: int) -> tuple[pathlib.Path, list[list[str]]]:
        """The commands of a seed that are not done."""
        run = self._folder / f"pretrained-seed{seed}"
        commands = []
        if not result_of(run):
            commands.append(
                ["pretrain", *self._given, f"--seed={seed}", f"--run={run}"]
            )
        for row in ROWS:
            for labels in self._labels:
                folder = self._result(row, labels, seed)
                folder.mkdir(parents=True, exist_ok=True)
                if not result_of(folder):
                    command = row.command(str(run), labels, str(folder))
                    commands.append([*command, f"--seed={seed}"])
        return run.with_suffix(".log"), commands

    def print_table(self) -> None:
        """Prints means and ranges of top-1, and each row's command."""
        print(f"\n## {self.name}\n")
        seeds = "1 seed" if len(self._seeds) == 1 else f"{len(self._seeds)} seeds"
        print(f"| {seeds} | {' | '.join(map(_told, self._labels))} |")
        print(f"|---|{'---|' * len(self._labels)}")
        for row in ROWS:
            cells = [self._cell(row, labels) for labels in self._labels]
            print(f"| {row.name} | {' | '.join(cells)} |")
        seed, labels = self._seeds[0], self._labels[0]
        run = self._folder / f"pretrained-seed{seed}"
        print("\n```sh")
        print(shlex.join(["simclr", "pretrain", *self._given, f"--seed={seed}"]))
        for row in ROWS:
            folder = str(self._result(row, labels, seed))
            command = row.command(str(run), labels, folder)
            print(shlex.join(["simclr", *command, f"--seed={seed}"]))
        print("```", flush=True)

    def _result(self, row: Row, labels: str, seed: int) -> pathlib.Path:
        return self._folder / f"{row.folder.format(labels)}-seed{seed}"

    def _cell(self, row: Row, labels: str) -> str:
        results = [result_of(self._result(row, labels, s)) for s in self._seeds]
        values = [result["top1"] for result in results]
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
    datasets = (each.partition("=")[::2] for each in options.datasets)
    comparisons = [Comparison(folder, *each, options, flags) for each in datasets]
    Commands(options.jobs, launch).each(
        each.train(seed) for seed in options.seeds for each in comparisons
    )
    for each in comparisons:
        each.print_table()


def _parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = runs_parser(__doc__)
    parser.add_argument(
        "--jobs", type=int, default=2, help="runs at a time, which share the cores"
    )
    parser.add_argument(
        "--labels",
        type=lambda text: tuple(text.split(",")),
        default=LABELS,
        help="with commas",
    )
    parser.add_argument("--seeds", type=numbers, default=(0, 1, 2), help="with commas")
    options, flags = parser.parse_known_args(arguments)
    for each in options.datasets:
        if "=" not in each:
            parser.error(f"a dataset is NAME=DATASET, got {each}")
    return options, flags


if __name__ == "__main__":
    main(sys.argv[1:])
