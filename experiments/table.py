"""Mean and range over runs of one experiment, as a Markdown table.

python experiments/table.py RUN_FOLDER …
python experiments/table.py --row=NAME RUN_FOLDER … --row=NAME RUN_FOLDER …
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence

COLUMNS = ("linear", "20-NN", "training, s", "images/s")


def main(arguments: Sequence[str]) -> None:
    """Prints the table of run folders that hold both evaluations.

    The last row is of the encoders that learned nothing, those of the first row.
    """
    rows = _rows(arguments)
    first = next(iter(rows.values()))
    seeds = "1 seed" if len(first) == 1 else f"{len(first)} seeds"
    print(f"| {seeds} | {' | '.join(COLUMNS)} |")
    print(f"|---|{'---|' * len(COLUMNS)}")
    for name, runs in rows.items():
        trained = [
            (
                _read(run, "linear_eval")["top1"],
                _read(run, "knn")["top1"],
                _read(run, "result")["seconds"],
                _read(run, "result")["images_per_second"],
            )
            for run in runs
        ]
        print(_row(name, trained))
    random = [
        (_read(run, "linear_eval_random")["top1"], _read(run, "knn_random")["top1"])
        for run in first
    ]
    print(_row("random encoder", random))


def _rows(arguments: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Run folders of each row, by its name."""
    rows: dict[str, list[str]] = {}
    name = "trained encoder"
    for argument in arguments:
        if argument.startswith("--row="):
            name = argument.partition("=")[2]
        else:
            rows.setdefault(name, []).append(argument)
    return rows


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
