"""Encoders and view sizes compared after equal time, on a validation part.

  python experiments/recipes/run.py RUNS_FOLDER NAME=DATASET … [--flag=value …]

NAME is cifar10_10k, caltech101 or shapes, and says which encoders and view sizes are
tried. DATASET holds training images alone (see README.md beside this script): `simclr`
holds out a fifth of them, on which all runs are judged. A run is a cell of minutes,
encoder, view size and share of early views; each that is finished adds a line of JSON
to RUNS_FOLDER/results.jsonl. What is finished is not run again: the same command goes
on where it was stopped, and one with more minutes or seeds adds their cells.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import statistics
import sys
import threading
from collections.abc import Sequence
from typing import NamedTuple

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2]))  # As a script.

from experiments.commands import (
    Commands,
    Launch,
    launch,
    numbers,
    parsed,
    result_of,
    runs_parser,
)

EVALUATIONS = ("knn", "linear_eval")
# Encoders and sides of the views in pixels, from cheap to dear, by name of the images.
LARGE = (
    ("resnet18x0.25", 64),
    ("resnet18x0.5", 64),
    ("resnet18x0.5", 96),
    ("resnet18", 96),
    ("resnet18", 128),
)
TRIED = {
    "cifar10_10k": (
        ("resnet18x0.125", 32),
        ("resnet18x0.25", 24),
        ("resnet18x0.25", 32),
        ("resnet18x0.5", 24),
        ("resnet18x0.5", 32),
    ),
    "caltech101": LARGE,
    "shapes": LARGE[:3],
}
EARLY_SHARES = (0.0, 0.75)


class Cell(NamedTuple):
    """One run."""

    name: str
    minutes: int
    encoder: str
    image_size: int
    early_share: float
    seed: int

    def run(self, folder: pathlib.Path) -> pathlib.Path:
        """Its run folder."""
        views = f"{self.encoder}-{self.image_size}px-early{self.early_share:g}"
        return folder / self.name / f"{self.minutes}min" / f"{views}-seed{self.seed}"


class Results:
    """The lines of results.jsonl.

    Args:
      path: of the file.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        lines = path.read_text().splitlines() if path.exists() else []
        self.rows: list[dict] = [json.loads(line) for line in lines]

    def has(self, cell: Cell) -> bool:
        """Whether a cell is finished."""
        own = cell._asdict()
        return any(row.items() >= own.items() for row in self.rows)

    def add(self, cell: Cell, run: pathlib.Path) -> None:
        """Adds the line of a cell whose evaluations lie in its run folder."""
        result = result_of(run)
        measured = {each: _read(run, each)["top1"] for each in EVALUATIONS}
        row = {
            **cell._asdict(),
            **measured,
            "random_knn": _read(run, "knn_random")["top1"],
            **{key: result[key] for key in ("epochs", "steps", "seconds")},
            "images_per_second": result["images_per_second"],
            "versions": result["versions"],
        }
        with self._lock:
            self.rows.append(row)
            with open(self._path, "a") as file:
                file.write(json.dumps(row) + "\n")


def cells(
    options: argparse.Namespace, minutes: int, rows: Sequence[dict] = ()
) -> list[Cell]:
    """The runs of some minutes.

    Args:
      options: of the command line.
      minutes: of each run.
      rows: results of fewer minutes, of which the best tells, with --narrow, what is
        tried.
    """
    found = []
    for name in options.datasets:
        tried, shares = TRIED[name], EARLY_SHARES
        fewer = [r for r in rows if r["name"] == name and r["minutes"] < minutes]
        if options.narrow and fewer:
            most = max(row["minutes"] for row in fewer)
            (encoder, size, share), _ = _ranked(fewer, name, most)[0]
            place = tried.index((encoder, size))
            tried, shares = tried[place : place + 2], (share,)
        found += [
            Cell(name, minutes, encoder, size, share, seed)
            for seed in options.seeds
            for encoder, size in tried
            for share in shares
        ]
    return found


def commands_of(
    cell: Cell, folder: pathlib.Path, dataset: str, flags: Sequence[str]
) -> list[list[str]]:
    """The commands of a cell that are not done."""
    run, commands = cell.run(folder), []
    if not result_of(run):
        commands.append(
            [
                "pretrain",
                f"--dataset={dataset}",
                f"--minutes={cell.minutes}",
                f"--encoder={cell.encoder}",
                f"--image_size={cell.image_size}",
                f"--early_share={cell.early_share:g}",
                f"--seed={cell.seed}",
                *flags,
                f"--run={run}",
            ]
        )
    for evaluation, random in (*((e, False) for e in EVALUATIONS), ("knn", True)):
        if not (run / f"{evaluation}{'_random' if random else ''}.json").exists():
            options = ["--random"] if random else []
            commands.append([evaluation, f"--run={run}", *options])
    return commands


def print_tables(rows: Sequence[dict]) -> None:
    """Prints a table for each dataset and time, the best first."""
    keys = sorted({(row["name"], row["minutes"]) for row in rows})
    for name, minutes in keys:
        print(f"\n## {name}, {minutes} minutes\n")
        print("| encoder | views, px | early share | 20-NN | linear | epochs | s |")
        print("|---|---|---|---|---|---|---|")
        ranked = _ranked(rows, name, minutes)
        for key, some in ranked:
            means = [f"{_mean(some, each):.3f}" for each in EVALUATIONS]
            means += [f"{_mean(some, each):.0f}" for each in ("epochs", "seconds")]
            print(f"| {' | '.join([*map(str, key), *means])} |")
        random = statistics.mean(
            row["random_knn"] for _, some in ranked for row in some
        )
        print(f"\n20-NN of random encoders: {random:.3f}.")


def main(arguments: Sequence[str], launch: Launch = launch) -> None:
    """Runs what is not done yet, and prints the tables.

    Args:
      arguments: of the command line.
      launch: runs `simclr` with arguments.
    """
    options, flags = _parse(arguments)
    folder = pathlib.Path(options.folder)
    folder.mkdir(parents=True, exist_ok=True)
    results = Results(folder / "results.jsonl")
    runs = Commands(options.jobs, launch)
    for minutes in sorted(options.minutes):
        for cell in cells(options, minutes, results.rows):
            if results.has(cell):
                continue
            run = cell.run(folder)
            todo = commands_of(cell, folder, options.datasets[cell.name], flags)
            runs.each([(run.with_name(f"{run.name}.log"), todo)])
            results.add(cell, run)
    print_tables(results.rows)


def _ranked(
    rows: Sequence[dict], name: str, minutes: int
) -> list[tuple[tuple[str, int, float], list[dict]]]:
    """Encoder, size and early share, each with its rows, the best first."""
    groups: dict[tuple, list[dict]] = {}
    for row in rows:
        if (row["name"], row["minutes"]) == (name, minutes):
            key = row["encoder"], row["image_size"], row["early_share"]
            groups.setdefault(key, []).append(row)
    return sorted(groups.items(), key=lambda each: -_mean(each[1], "knn"))


def _mean(rows: Sequence[dict], name: str) -> float:
    return statistics.mean(row[name] for row in rows)


def _read(run: pathlib.Path, name: str) -> dict:
    return json.loads((run / f"{name}.json").read_text())


def _parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = runs_parser(__doc__)
    parser.add_argument("--minutes", type=numbers, default=(5, 12, 40), help="of a run")
    parser.add_argument(
        "--narrow",
        action="store_true",
        help="try with more minutes the best of fewer, and the next dearer, alone",
    )
    # A run has all cores: its speed is what counts.
    parser.set_defaults(seeds=(0,), jobs=1)
    return parsed(parser, arguments, TRIED)


if __name__ == "__main__":
    main(sys.argv[1:])
