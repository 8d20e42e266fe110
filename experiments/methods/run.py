"""Methods compared after equal time, as a Markdown table for each dataset.

  python experiments/methods/run.py RUNS_FOLDER NAME=DATASET … [--flag=value …]

NAME is a flag file beside this script, such as cifar10, and DATASET is what `simclr
pretrain --dataset=` takes. Other flags go to every pretrain. A short run of each method
measures its speed first, of which the number of epochs follows. What is finished is not
run again: the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import shlex
import statistics
import subprocess
import sys
from collections.abc import Sequence

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parents[1]))  # Where this is run as a script.

from experiments.commands import (  # noqa: E402
    Commands,
    Launch,
    launch,
    parsed,
    result_of,
    runs_parser,
)

METHODS = ("simclr", "dcl", "supcon", "rotation", "jigsaw", "supervised")
EVALUATIONS = ("linear_eval", "knn")
# Small views first, as in experiments/cifar10: share of the epochs, and how far it may
# differ from one method to another, so that their times are equal.
EARLY_SHARE, TOLERANCE = 0.75, 0.1
# Epochs of the short run, and the share of them with small views.
MEASURED = (4, 0.5)


class Comparison:
    """The runs of one dataset.

    Args:
      folder: where its runs are.
      name: of its flag file.
      dataset: of `simclr pretrain --dataset=`.
      seconds: that each training should take.
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
        self.methods: Sequence[str] = options.methods
        self._folder = folder / name
        self._seeds: Sequence[int] = options.seeds
        self._seconds = 60.0 * options.minutes
        self._given = [f"--flagfile={flag_file}", f"--dataset={dataset}", *flags]

    def measure(self, method: str) -> tuple[pathlib.Path, list[list[str]]]:
        """The short run that measures the speed of a method, if it is not done."""
        run = self._folder / method / "speed"
        command = self._pretrain(method, run, 0, *MEASURED)
        return run.with_suffix(".log"), [] if result_of(run) else [command]

    def train(self, method: str, seed: int) -> tuple[pathlib.Path, list[list[str]]]:
        """The commands of a row and seed that are not done."""
        run = self._run(method, seed)
        epochs, share = self.epochs(method)
        commands = []
        if result_of(run).get("epochs") != epochs:
            commands.append(self._pretrain(method, run, seed, epochs, share))
        for evaluation in EVALUATIONS:
            if not (run / f"{evaluation}.json").exists():
                commands.append([evaluation, f"--run={run}"])
            random = method == self.methods[0]
            if random and not (run / f"{evaluation}_random.json").exists():
                commands.append([evaluation, f"--run={run}", "--random"])
        return run.with_suffix(".log"), commands

    def epochs(self, method: str) -> tuple[int, float]:
        """Epochs that take the time by the short run, and the share of small views."""
        run = self._folder / method / "speed"
        lines = (run / "metrics.jsonl").read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        rows = [row for row in rows if isinstance(row["epoch"], int)]
        images = rows[0]["step"] * _batch_size(run)
        half = len(rows) // 2
        # The first epoch of each size also compiles.
        early, late = (
            images / statistics.harmonic_mean(r["images_per_second"] for r in some)
            for some in (rows[1:half], rows[half + 1 :])
        )
        once = result_of(run)["seconds"] - half * (early + late)

        def unlike(choice: tuple[int, int]) -> tuple[float, float]:
            epochs, small = choice
            seconds = once + small * early + (epochs - small) * late
            return abs(seconds - self._seconds), abs(small / epochs - EARLY_SHARE)

        most = int(self._seconds / min(early, late)) + 2
        choices = [(n, s) for n in range(1, most) for s in _small_epochs(n)]
        epochs, small = min(choices, key=unlike)
        return epochs, small / epochs

    def print_table(self) -> None:
        """Prints means and ranges, and the command of each row."""
        table = [sys.executable, str(HERE.parent / "table.py")]
        commands = []
        for method in self.methods:
            epochs, share = self.epochs(method)
            runs = [self._run(method, seed) for seed in self._seeds]
            table += [f"--row={method}, {epochs} epochs", *map(str, runs)]
            commands.append(
                self._pretrain(method, runs[0], self._seeds[0], epochs, share)
            )
        print(f"\n## {self.name}\n")
        shown = subprocess.run(table, check=True, stdout=subprocess.PIPE, text=True)
        print(f"{shown.stdout}\n```sh")
        for command in commands:
            print(shlex.join(["simclr", *command]))
        print("```", flush=True)
        for method in self.methods:
            taken = [result_of(self._run(method, s))["seconds"] for s in self._seeds]
            share = statistics.mean(taken) / self._seconds
            if abs(share - 1) > 0.1:
                print(f"{method} took {share:.2f} times as long as it should.")

    def _run(self, method: str, seed: int) -> pathlib.Path:
        return self._folder / method / f"seed{seed}"

    def _pretrain(
        self, method: str, run: pathlib.Path, seed: int, epochs: int, early_share: float
    ) -> list[str]:
        return [
            "pretrain",
            *self._given,
            f"--method={method}",
            f"--epochs={epochs}",
            f"--early_share={early_share:.4g}",
            f"--seed={seed}",
            f"--run={run}",
        ]


def _small_epochs(epochs: int) -> list[int]:
    """How many of some epochs may have small views."""
    near = [s for s in range(epochs) if abs(s / epochs - EARLY_SHARE) <= TOLERANCE]
    return near or [round(EARLY_SHARE * epochs)]


def _batch_size(run: pathlib.Path) -> int:
    lines = (run / "flags.txt").read_text().splitlines()
    flag = "--batch_size="
    return int(next(line[len(flag) :] for line in lines if line.startswith(flag)))


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
    commands = Commands(options.jobs, launch)
    every = [(each, method) for each in comparisons for method in options.methods]
    commands.each(each.measure(method) for each, method in every)
    commands.each(
        each.train(method, seed) for seed in options.seeds for each, method in every
    )
    for each in comparisons:
        each.print_table()


def _parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = runs_parser(__doc__)
    parser.add_argument(
        "--minutes", type=float, default=3.5, help="that each training should take"
    )
    parser.add_argument("--methods", type=_names, default=METHODS, help="with commas")
    return parsed(parser, arguments, sorted(p.stem for p in HERE.glob("*.txt")))


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


if __name__ == "__main__":
    main(sys.argv[1:])
