"""Whether the verdict of `simclr pretrain` is right: good runs, and runs made to fail.

  python experiments/verdict/run.py RUNS_FOLDER NAME=DATASET … [--flag=value …]

NAME is cifar10_10k or caltech101, and says how long a run is. Each run is of one kind
(`KINDS`), dataset and seed. Most learn without labels, so that their verdict rests on
views alone; some are given labels. What became of them is then told by 20-NN on all
test images, which no verdict saw: README.md beside this script says how. A run that is
finished is not run again: the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2]))  # As a script.

from experiments.commands import (
    Commands,
    Launch,
    launch,
    parsed,
    result_of,
    runs_parser,
)

# Of all runs of a dataset.
SETTINGS = {
    "cifar10_10k": {"encoder": "resnet18x0.125", "epochs": 6},
    "caltech101": {"image_size": 32, "encoder": "resnet18x0.25", "epochs": 60},
}
# What a kind changes.
KINDS: dict[str, dict[str, float | str]] = {
    "defaults": {},
    "temperature 0.1": {"temperature": 0.1},
    "temperature 0.5": {"temperature": 0.5},
    "a third of the rate": {"learning_rate": 0.2},
    "weak colours": {"color_strength": 0.2},
    "head of 3 layers": {"head_layers": 3},
    "rate too low": {"learning_rate": 1e-6},
    "rate too high": {"learning_rate": 20},
    "temperature 50": {"temperature": 50},
    "no augmentation": {"views": "crop(1)"},
    "decay too strong": {"weight_decay": 0.5},
    "one epoch": {"epochs": 1},
}
# Runs with labels, of the first seed: enough to see that both ways agree.
LABELLED = ("defaults", "rate too low", "no augmentation", "decay too strong")
# 20-NN accuracy above its highest floor from which a run is good, and up to which it is
# bad. Those between are shown and not counted.
GOOD, BAD = 0.05, 0.02

# Accuracy of the pixels of a dataset's images, of a side in pixels.
Pixels = Callable[[str, int], float]


class Cell(NamedTuple):
    """One run."""

    name: str
    kind: str
    seed: int
    labels: bool

    def run(self, folder: pathlib.Path) -> pathlib.Path:
        """Its run folder."""
        labels = "labels" if self.labels else "nolabels"
        kind = self.kind.replace(" ", "_")
        return folder / self.name / f"{kind}-{labels}-seed{self.seed}"

    def log(self, folder: pathlib.Path) -> pathlib.Path:
        """Where its output goes."""
        run = self.run(folder)
        return run.with_name(f"{run.name}.log")


def cells(options: argparse.Namespace) -> list[Cell]:
    """All runs."""
    found = [
        Cell(name, kind, seed, False)
        for seed in options.seeds
        for kind in KINDS
        for name in options.datasets
    ]
    first = options.seeds[0]
    return found + [
        Cell(name, kind, first, True) for kind in LABELLED for name in options.datasets
    ]


def commands_of(
    cell: Cell, folder: pathlib.Path, dataset: str, flags: Sequence[str]
) -> list[list[str]]:
    """The commands of a cell that are not done."""
    run, commands = cell.run(folder), []
    if not result_of(run):
        settings = {**SETTINGS[cell.name], **KINDS[cell.kind]}
        commands.append(
            [
                "pretrain",
                f"--dataset={dataset}",
                *(f"--{name}={value}" for name, value in settings.items()),
                f"--seed={cell.seed}",
                "--labels" if cell.labels else "--nolabels",
                "--eval_every=1000",  # At the end alone.
                *flags,
                f"--run={run}",
            ]
        )
    if not (run / "knn.json").exists():
        commands.append(["knn", f"--run={run}"])
    untrained = cell.kind == "defaults" and not cell.labels  # The same for all kinds.
    if untrained and not (run / "knn_random.json").exists():
        commands.append(["knn", f"--run={run}", "--random"])
    return commands


def rows_of(
    all_cells: Sequence[Cell], folder: pathlib.Path, pixels: dict[str, float]
) -> Iterator[dict]:
    """What became of each run, and what its verdict says."""
    for cell in all_cells:
        run = cell.run(folder)
        beginning = Cell(cell.name, "defaults", cell.seed, False).run(folder)
        floor = max(_top1(beginning, "knn_random"), pixels[cell.name])
        gain = _top1(run, "knn") - floor
        verdict = result_of(run)["verdict"]
        yield {
            **cell._asdict(),
            "knn": _top1(run, "knn"),
            "floor": floor,
            "truth": "good" if gain >= GOOD else "bad" if gain <= BAD else "between",
            "verdict": verdict["learned"],
            "basis": verdict["basis"],
            "reasons": verdict["reasons"],
            "seconds": result_of(run)["seconds"],
        }


def print_tables(rows: Sequence[dict]) -> None:
    """Prints each run, and how often verdicts are right."""
    print("| images | kind | labels | seed | 20-NN | floor | truth | verdict | why |")
    print("|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        verdict = {True: "learned", False: "little", None: "untold"}[row["verdict"]]
        cells_of = [
            row["name"],
            row["kind"],
            "yes" if row["labels"] else "no",
            row["seed"],
            f"{row['knn']:.3f}",
            f"{row['floor']:.3f}",
            row["truth"],
            verdict,
            ", ".join(row["reasons"]),
        ]
        print(f"| {' | '.join(map(str, cells_of))} |")
    for labels, basis in ((False, "without"), (True, "with")):
        some = [row for row in rows if row["labels"] is labels]
        for truth, learned in (("good", True), ("bad", False)):
            told = [row["verdict"] is learned for row in some if row["truth"] == truth]
            print(f"\n{basis} labels, {truth} runs: {sum(told)} of {len(told)} right.")


def pixels_knn(dataset: str, image_size: int) -> float:
    """20-NN accuracy on the test images by their pixels."""
    from simclr_tf.data import evaluation_batches, load_train_and_test
    from simclr_tf.evaluation import encode, knn
    from simclr_tf.evaluation.bare_pixels import bare_pixels

    arrays: list = []
    for source in load_train_and_test(dataset, image_size=image_size):
        batches = evaluation_batches(source, batch_size=500, image_size=image_size)
        arrays += encode(bare_pixels(16), batches)
    return knn(*arrays).top1


def main(
    arguments: Sequence[str], launch: Launch = launch, pixels: Pixels = pixels_knn
) -> None:
    """Runs what is not done yet, and prints the tables.

    Args:
      arguments: of the command line.
      launch: runs `simclr` with arguments.
      pixels: measures a floor.
    """
    options, flags = _parse(arguments)
    folder = pathlib.Path(options.folder)
    folder.mkdir(parents=True, exist_ok=True)
    every = cells(options)
    todo = [
        (
            cell.log(folder),
            commands_of(cell, folder, options.datasets[cell.name], flags),
        )
        for cell in every
    ]
    Commands(options.jobs, launch).each([each for each in todo if each[1]])
    floors = {
        name: pixels(dataset, int(SETTINGS[name].get("image_size", 32)))
        for name, dataset in options.datasets.items()
    }
    rows = list(rows_of(every, folder, floors))
    (folder / "results.json").write_text(json.dumps(rows, indent=1))
    print_tables(rows)


def _top1(run: pathlib.Path, name: str) -> float:
    return json.loads((run / f"{name}.json").read_text())["top1"]


def _parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = runs_parser(__doc__)
    parser.set_defaults(seeds=(0, 1))
    return parsed(parser, arguments, SETTINGS)


if __name__ == "__main__":
    main(sys.argv[1:])
