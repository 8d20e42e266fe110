"""Figures of a benchmark as Markdown tables, on stdout, and as a picture.

python experiments/benchmark/page.py benchmark.png benchmark.json …

Of several files each has tables of its own; the picture shows a part as the first file
has it, since figures of two runs do not compare.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterable, Iterator, Sequence

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

_OURS, _PEERS = "#0b6e4f", ("#c8553d", "#e0a458", "#8d99ae", "#5e548e", "#b392ac")


def main(picture: str, *figures: str) -> None:
    """Prints tables of the figures, and draws them."""
    rows = []
    for path in figures:
        with open(path) as file:
            told = json.load(file)
        drawn = {row["part"] for row in rows}
        rows += [row for row in told["measured"] if row["part"] not in drawn]
        print("\n" + ", ".join(map(str, told["machine"].values())) + ".")
        for part in dict.fromkeys(row["part"] for row in told["measured"]):
            print(f"\n### {part}\n")
            print("\n".join(_table(_jobs(told["measured"], part))))
    _draw(rows, picture)


def _jobs(rows: Sequence[dict], part: str) -> dict[str, list[dict]]:
    """Rows of a part by job; the first of each is what the others compare with."""
    jobs = {}
    for row in rows:
        if row["part"] == part:
            jobs.setdefault(row["job"], []).append(row)
    return jobs


def _table(jobs: dict[str, list[dict]]) -> Iterator[str]:
    rows = [row for same in jobs.values() for row in same]
    with_rate = any(row["images_per_second"] for row in rows)
    with_peak = any(row["peak_gib"] is not None for row in rows)
    columns = ["job", "who", "seconds"]
    columns += ["images/s"] * with_rate + ["memory, GiB"] * with_peak
    columns += ["time, of the first"]
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for same in jobs.values():
        for row in same:
            cells = ["" if row is not same[0] else row["job"], row["who"]]
            cells.append(f"{row['seconds']:.3f}")
            if with_rate:
                cells.append(f"{row['images_per_second']:,.0f}")
            if with_peak:
                cells.append(f"{row['peak_gib']:.2f}")
            cells.append(f"{row['seconds'] / same[0]['seconds']:.2f}")
            yield f"| {' | '.join(cells)} |"


def _draw(rows: Sequence[dict], picture: str) -> None:
    figure, panels = plt.subplots(2, 3, figsize=(15, 8.5), constrained_layout=True)
    views = {**_jobs(rows, "views"), **_jobs(rows, "jpeg_files")}
    _bars(panels[0, 0], views, "Both views, images/s", log=True)
    steps = {
        f"{part}, {job}": same
        for part in ("step", "pretrain")
        for job, same in _jobs(rows, part).items()
    }
    _bars(panels[0, 1], steps, "Training, images/s")
    _memory(panels[0, 2], _jobs(rows, "memory"))
    losses = _jobs(rows, "loss")
    _curves(panels[1, 0], losses, "seconds", "Loss and gradient, seconds")
    _curves(panels[1, 1], losses, "peak_gib", "Loss and gradient, GiB beyond the input")
    _growth(panels[1, 2], _jobs(rows, "growth"))
    for panel in panels.flat:
        panel.set_visible(panel.has_data())
    figure.savefig(picture, dpi=110)


def _colours(names: Iterable[str]) -> dict[str, str]:
    """The same for a name wherever it comes in a panel; alike where they run out."""
    peers = itertools.cycle(_PEERS)
    return {
        name: _OURS if _is_ours(name) else next(peers) for name in dict.fromkeys(names)
    }


def _is_ours(name: str) -> bool:
    return name.startswith("simclr")


def _bars(
    panel: plt.Axes, jobs: dict[str, list[dict]], title: str, log: bool = False
) -> None:
    place, ticks, labels = 0.0, [], []
    colours = _colours(row["who"] for rows in jobs.values() for row in rows)
    for job, rows in jobs.items():
        for row in rows:
            rate = row["images_per_second"]
            panel.barh(place, rate, 0.8, color=colours[row["who"]])
            text = f" {row['who']}: {rate:,.0f}"
            panel.text(rate, place, text, va="center", fontsize=8)
            place += 1.0
        ticks.append(place - len(rows) / 2 - 0.5)
        labels.append(_wrapped(job))
        place += 0.7
    panel.set_yticks(ticks, labels, fontsize=8)
    panel.invert_yaxis()
    if log:
        panel.set_xscale("log")
    panel.set_xlim(right=panel.get_xlim()[1] * (60 if log else 1.8))
    _title(panel, title)


def _wrapped(job: str) -> str:
    return job.replace(", ", ",\n").replace(" from ", "\nfrom ")


def _memory(panel: plt.Axes, jobs: dict[str, list[dict]]) -> None:
    for job, rows in jobs.items():
        for place, row in enumerate(rows):
            panel.barh(place, row["peak_gib"], 0.8, color=_OURS if place else _PEERS[0])
            ratio = row["seconds"] / rows[0]["seconds"]
            text = f" {row['peak_gib']:.2f} GiB, {ratio:.2f} x the time"
            panel.text(row["peak_gib"], place, text, va="center", fontsize=8)
        panel.set_yticks(range(len(rows)), [_wrapped(row["who"]) for row in rows])
        panel.set_xlim(right=1.7 * rows[0]["peak_gib"])
        panel.set_xlabel(job, fontsize=8)
    panel.tick_params(axis="y", labelsize=8)
    panel.invert_yaxis()
    _title(panel, "Memory of a step")


def _curves(panel: plt.Axes, jobs: dict, key: str, title: str) -> None:
    if not jobs:
        return
    curves = {}
    for rows in jobs.values():
        for row in rows:
            curves.setdefault(row["who"], []).append((row["size"], row[key]))
    colours = _colours(curves)
    drawn = set()
    for who, points in curves.items():
        colour = colours[who]
        line = "o--" if colour in drawn else "o-"
        drawn.add(colour)
        panel.plot(*zip(*points), line, color=colour, label=who)
        views, value = points[-1]
        panel.annotate(f" {value:.2g}", (views, value), fontsize=8, color=colour)
    panel.set_xscale("log", base=2)
    panel.set_yscale("log")
    most = max(curves.values(), key=len)
    panel.set_xticks([views for views, _ in most], [f"{v >> 10}k" for v, _ in most])
    panel.set_xlabel("views", fontsize=8)
    panel.legend(fontsize=8, frameon=False)
    _title(panel, title)


def _growth(panel: plt.Axes, jobs: dict[str, list[dict]]) -> None:
    """Rates of views by their side, each for the first batch measured."""
    rates = {}
    for first, *_ in jobs.values():
        if first["size"] is not None:
            rates.setdefault(first["size"], first["images_per_second"])
    if not rates:
        return
    panel.plot(rates.keys(), rates.values(), "o-", color=_OURS)
    for side, rate in rates.items():
        panel.annotate(f" {rate:,.0f}", (side, rate), fontsize=8)
    panel.set_xscale("log", base=2)
    panel.set_yscale("log")
    panel.set_xticks(list(rates), list(rates))
    panel.set_xlabel("side of a view, pixels", fontsize=8)
    _title(panel, "Both views by their side, images/s")


def _title(panel: plt.Axes, title: str) -> None:
    panel.set_title(title, loc="left", fontsize=10, fontweight="bold")
    panel.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main(*sys.argv[1:])
