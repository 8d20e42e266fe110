"""A run in plain words: what was trained on what, how long, and with what result."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from simclr_tf.progress import duration
from simclr_tf.report.curves import GEOMETRY, LOSSES, group_of, plain_name
from simclr_tf.report.run_figures import RunFigures
from simclr_tf.training.flagfile import command_of

# What floors are of, by their name in floors.json.
_FLOORS = (
    ("start", "before training"),
    ("pixels", "bare pixels"),
    ("majority", "largest class"),
    ("chance", "chance"),
)
_METHODS = {"simclr": "SimCLR", "supcon": "SupCon", "dcl": "DCL"}
_OF_CLASSIFIERS = {"finetune": "Fine-tuning", "distill": "Distillation"}


def headline(run: RunFigures) -> str:
    """One or two sentences on what was trained."""
    said, result = run.settings, run.result
    method = said.get("method", "")
    what = _METHODS.get(method, method.capitalize() or "A run")
    what = _OF_CLASSIFIERS.get(command_of(run.flags), what)
    encoder = said.get("encoder", "an encoder")
    parameters = result.get("encoder_parameters")
    if isinstance(parameters, int):
        encoder += f" ({_large(parameters)} parameters)"
    text = f"{what} trained {encoder}"
    images = (run.data.get("fingerprint") or {}).get("images")
    if isinstance(images, int):
        text += f" on {images:,} images"
    if "dataset" in said:
        text += f" of {said['dataset']}"
    if "image_size" in said:
        text += f" at {said['image_size']} px"
    return text + _how_long(run) + "."


def _how_long(run: RunFigures) -> str:
    last, result = run.last, run.result
    epochs, steps = last.get("epoch"), last.get("step", result.get("steps"))
    text = ""
    if isinstance(epochs, (int, float)):
        text += f" for {epochs:.4g} epochs"
    if isinstance(steps, int):
        text += f", {steps:,} steps"
    if isinstance(result.get("seconds"), (int, float)):
        text += f", in {duration(result['seconds'])}"
    return text


def verdict(run: RunFigures) -> dict[str, Any]:
    """Whether it learned.

    Returns:
      `kind`, one of "good", "bad", "unknown" and "unfinished", `title`, `lines`, and
      `evidence`, lines of figures that it rests on.
    """
    if not run.ended:
        wanted = run.settings.get("epochs")
        now = run.last.get("epoch", 0)
        of = f" of {wanted}" if wanted else ""
        line = (
            f"This run has not ended: its newest figures are of epoch {now:.4g}{of}. "
            "The same command goes on with it."
        )
        title = "Not ended"
        return {"kind": "unfinished", "title": title, "lines": [line], "evidence": []}
    if isinstance(run.result.get("top1"), (int, float)):
        return _of_classifier(run.result)
    found = run.result.get("verdict")
    found = found if isinstance(found, Mapping) else {}
    learned = found.get("learned")
    lines = found.get("lines")
    lines = [str(line) for line in lines] if isinstance(lines, list) else []
    kind = "good" if learned else "unknown" if learned is None else "bad"
    title = {
        "good": "It learned",
        "bad": "It did not learn",
        "unknown": "Whether it learned is not known",
    }[kind]
    said = [number for number, line in enumerate(lines) if line.startswith("Verdict")]
    first = said[0] if said else 0
    return {
        "kind": kind,
        "title": title,
        "lines": lines[first:],
        "evidence": lines[:first],
    }


def _of_classifier(result: Mapping[str, Any]) -> dict[str, Any]:
    """What `verdict` says of a classifier: more than three standard errors is good."""
    right, images = result["top1"], result.get("images")
    of = f"{images:,} test images" if isinstance(images, int) else "test images"
    floors = {
        f"{name} {percent(result[key])}": result[key]
        for key, name in (("largest_class", "largest class"), ("chance", "chance"))
        if isinstance(result.get(key), (int, float))
    }
    error = result.get("standard_error") or 0.0
    good = right > max(floors.values(), default=0.0) + 3 * error
    words = (
        "named rightly" if good else "named rightly, which is no more than by chance"
    )
    line = f"Standard error {percent(error)}; without learning: {', '.join(floors)}."
    return {
        "kind": "good" if good else "bad",
        "title": f"{percent(right)} of {of} {words}",
        "lines": [line] if floors else [],
        "evidence": [],
    }


def floors_table(run: RunFigures) -> list[dict[str, Any]]:
    """Each figure that floors are known of: at the end, and of what learned nothing.

    Returns:
      Rows with `name`, `end`, and `floors`, in the order of `floor_names`.
    """
    end = run.measured
    rows = []
    names = [*(run.floors.get("start") or {}), *(run.floors.get("chance") or {})]
    for name in dict.fromkeys(names):
        if name == "collapsed" or not isinstance(end.get(name), (int, float)):
            continue
        found = [_floor(run.floors, key, name) for key, _ in _FLOORS]
        rows.append(
            {
                "figure": name,
                "name": plain_name(name),
                "end": end[name],
                "floors": found,
            }
        )
    return rows


def floor_names() -> list[str]:
    """The columns of `floors_table`."""
    return [text for _, text in _FLOORS]


def _floor(floors: Mapping[str, Any], key: str, name: str) -> float | None:
    if key == "majority":
        judged = name in ("knn_accuracy", "ridge_accuracy")
        return floors.get("majority") if judged else None
    values = floors.get(key)
    found = values.get(name) if isinstance(values, Mapping) else None
    return found if isinstance(found, (int, float)) else None


def tiles(run: RunFigures) -> list[dict[str, str]]:
    """The figures that a person looks for first, with what each is."""
    end, result = run.measured, run.result
    found = []
    for name, results in run.evaluations.items():
        if isinstance(results.get("top1"), (int, float)):
            title = {"knn": "kNN top-1", "linear_eval": "Linear top-1"}.get(name, name)
            found.append({"value": percent(results["top1"]), "name": f"{title} (test)"})
    classified = {"top1": "top-1", "top5": "top-5", "mean_per_class": "mean of classes"}
    for key, title in classified.items():
        if isinstance(result.get(key), (int, float)):
            found.append({"value": percent(result[key]), "name": f"{title} (test)"})
    shown = {
        "knn_accuracy": "kNN accuracy",
        "ridge_accuracy": "ridge accuracy",
        "probe_accuracy": "probe accuracy",
        "contrastive_accuracy": "other view found",
    }
    if "knn" in run.evaluations:  # Of more images than those measured in training.
        del shown["knn_accuracy"]
    for name, title in shown.items():
        if isinstance(end.get(name), (int, float)):
            found.append({"value": percent(end[name]), "name": title})
    rank = end.get("effective_rank")
    if isinstance(rank, (int, float)):
        found.append({"value": f"{rank:.1f}", "name": "effective rank"})
    speed = result.get("images_per_second") or end.get("images_per_second")
    if isinstance(speed, (int, float)):
        found.append({"value": f"{speed:,.0f}", "name": "images a second"})
    memory = result.get("peak_memory_bytes")
    if isinstance(memory, (int, float)) and memory > 0:
        found.append({"value": f"{memory / 1e9:.2f} GB", "name": "memory at its peak"})
    if isinstance(result.get("seconds"), (int, float)):
        found.append({"value": duration(result["seconds"]), "name": "training time"})
    return found


def evaluations_table(run: RunFigures) -> list[dict[str, Any]]:
    """The accuracies that evaluations left in the run folder, as text."""
    rows = []
    for name, found in run.evaluations.items():
        keys = ("top1", "top5", "mean_per_class", "standard_error")
        values = [found.get(key) for key in keys]
        texts = [percent(v) if isinstance(v, (int, float)) else "-" for v in values]
        images = found.get("num_test")
        count = f"{images:,}" if isinstance(images, int) else "-"
        rows.append({"name": f"simclr {name}", "cells": [*texts, count]})
    return rows


def figures_table(run: RunFigures, names: Sequence[str]) -> list[dict[str, Any]]:
    """First, last, least and greatest value of each figure; the curves as text."""
    rows = []
    for name in names:
        values = [
            row[name] for row in run.rows if isinstance(row.get(name), (int, float))
        ]
        if values:
            rows.append(
                {
                    "name": plain_name(name),
                    "first": number(values[0]),
                    "last": number(values[-1]),
                    "least": number(min(values)),
                    "greatest": number(max(values)),
                }
            )
    return rows


def commands(run: RunFigures) -> list[str]:
    """Command lines that repeat the run, and that go on with it."""
    flags = shlex.quote(f"{run.path.rstrip('/')}/flags.txt")
    return [f"simclr {command_of(run.flags)} --flagfile={flags} --run=runs/again"]


def versions(run: RunFigures) -> dict[str, str]:
    """Of what the run depended on, as far as it noted them."""
    found = run.result.get("versions")
    if isinstance(found, Mapping):
        return {str(name): str(value) for name, value in found.items()}
    return {}


def setting_differences(runs: Sequence[RunFigures]) -> list[dict[str, Any]]:
    """The settings in which runs differ: `name` and `values`, one for each run."""
    names = dict.fromkeys(name for run in runs for name in run.settings)
    rows = []
    for name in names:
        values = [run.settings.get(name, "-") for run in runs]
        if len(set(values)) > 1:
            rows.append({"name": name, "values": values})
    return rows


def result_differences(runs: Sequence[RunFigures]) -> list[dict[str, Any]]:
    """The newest figures of runs: `name`, `values` as text, and `best`, a place.

    `best` is None where neither high nor low is better.
    """
    rows = [_verdict_row(runs)]
    for command in dict.fromkeys(name for run in runs for name in run.evaluations):
        values = [run.evaluations.get(command, {}).get("top1") for run in runs]
        rows.append(_row(f"{command} top-1", values, 1, share=True))
    names = dict.fromkeys(name for run in runs for name in run.measured)
    for name in sorted(names, key=lambda name: not name.endswith("accuracy")):
        if name in ("step", "epoch", "collapsed"):
            continue
        values = [run.measured.get(name) for run in runs]
        group = group_of(name)
        same_method = len({run.settings.get("method") for run in runs}) == 1
        better = 0
        if name.endswith("accuracy") and not name.startswith("contrastive"):
            better = 1
        elif group == GEOMETRY or (group == LOSSES and not same_method):
            better = 0
        elif name == "images_per_second":
            better = 1
        rows.append(_row(plain_name(name), values, better, name.endswith("accuracy")))
    seconds = [run.result.get("seconds") for run in runs]
    texts = [duration(s) if isinstance(s, (int, float)) else "-" for s in seconds]
    rows.append({"name": "training time", "values": texts, "best": None})
    return [row for row in rows if set(row["values"]) != {"-"}]


def _verdict_row(runs: Sequence[RunFigures]) -> dict[str, Any]:
    titles = [verdict(run)["title"] for run in runs]
    return {"name": "verdict", "values": titles, "best": None}


def _row(name: str, values: Sequence[Any], better: int, share: bool) -> dict[str, Any]:
    known = [v if isinstance(v, (int, float)) else None for v in values]
    texts = ["-" if v is None else percent(v) if share else number(v) for v in known]
    best = None
    numbers = [v for v in known if v is not None]
    if better and len(set(numbers)) > 1:
        best = known.index(max(numbers))
    return {"name": name, "values": texts, "best": best}


def percent(share: float) -> str:
    """A share as per cent, one digit after the point."""
    return f"{100 * share:.1f} %"


def number(value: float) -> str:
    """A number in four digits."""
    return f"{value:,.0f}" if abs(value) >= 10000 else f"{value:.4g}"


def _large(count: int) -> str:
    if count >= 1_000_000:
        return f"{count / 1e6:.1f} million"
    return f"{count:,}"
