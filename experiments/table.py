"""Mean and range over runs of one experiment, as a Markdown table."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

COLUMNS = ("linear", "20-NN", "training, s", "images/s")


def main(runs: Sequence[str]) -> None:
    """Prints the table of run folders that hold both evaluations."""
    trained = [
        (
            _read(run, "linear_eval")["top1"],
            _read(run, "knn")["top1"],
            _read(run, "result")["seconds"],
            _read(run, "result")["images_per_second"],
        )
        for run in runs
    ]
    random = [
        (_read(run, "linear_eval_random")["top1"], _read(run, "knn_random")["top1"])
        for run in runs
    ]
    print(f"| {len(runs)} seeds | {' | '.join(COLUMNS)} |")
    print(f"|---|{'---|' * len(COLUMNS)}")
    print(_row("trained encoder", trained))
    print(_row("random encoder", random))


def _row(name: str, values: Sequence[Sequence[float]]) -> str:
    cells = [_cell(column) for column in zip(*values)]
    cells += [""] * (len(COLUMNS) - len(cells))
    return f"| {name} | {' | '.join(cells)} |"


def _cell(values: Sequence[float]) -> str:
    digits = 3 if max(values) <= 1 else 0
    mean = sum(values) / len(values)
    low, high = min(values), max(values)
    return f"{mean:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _read(run: str, name: str) -> dict:
    with open(os.path.join(run, f"{name}.json")) as file:
        return json.load(file)


if __name__ == "__main__":
    main(sys.argv[1:])
