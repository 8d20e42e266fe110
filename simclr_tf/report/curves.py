"""The logged figures of runs as charts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from simclr_tf.report.run_figures import RunFigures

# Points of a curve; where a run logged more, each of so many spans shows its extremes.
MOST_POINTS = 1000
# A logarithmic scale helps where values span this factor.
_WIDE = 50.0

LOSSES, ACCURACIES = "Loss", "Accuracy"
GEOMETRY, TRAINING, OTHER = "Geometry", "Optimization and speed", "Other figures"
GROUPS = (LOSSES, ACCURACIES, GEOMETRY, TRAINING, OTHER)

# What a figure is, for a person who meets it for the first time.
MEANINGS = {
    "loss": "what is minimised: the method's loss, and the probe's where there is one",
    "supervised_loss": "cross entropy of the labels, in nats",
    "supervised_accuracy": "of the classifier, on the views it learns from",
    "distillation_loss": "cross entropy with the teacher's probabilities, in nats",
    "agreement": "share of views that student and teacher name alike",
    "test_accuracy": "of the classifier, on test images",
    "contrastive_loss": "how hard it is to find the other view of an image, in nats",
    "contrastive_accuracy": "share of views whose other view outranks all other images",
    "contrastive_entropy": "how undecided that choice is, in nats",
    "probe_loss": "of a linear classifier trained beside the encoder, which it does "
    "not influence",
    "probe_accuracy": "of that classifier, on the training views",
    "knn_accuracy": "of nearest neighbours, on images that are measured",
    "ridge_accuracy": "of a linear classifier in closed form, on the same images",
    "alignment": "distance between two views of an image; 0 is the same, lower is "
    "more invariant",
    "uniformity": "how evenly images fill the space; lower is more even, 0 one point",
    "effective_rank": "how many directions the representations use",
    "deviation": "spread of the representations; 1 fills the space, 0 is one point",
    "learning_rate": "the step size at each step",
    "gradient_norm": "length of the gradient over all replicas",
    "weight_norm": "length of all weights",
    "images_per_second": "training speed",
    "query_contrastive_accuracy": "the contrastive task on a sample of images",
}
_PLACES = ("step", "epoch")
_GEOMETRY = ("alignment", "uniformity", "effective_rank", "deviation", "collapsed")
_TRAINING = ("learning_rate", "gradient_norm", "weight_norm", "images_per_second")


def group_of(figure: str) -> str:
    """The group of charts that a figure belongs to."""
    if figure.endswith(("loss", "entropy")):
        return LOSSES
    if figure.endswith(("accuracy", "top1", "top5")):
        return ACCURACIES
    if figure in _GEOMETRY:
        return GEOMETRY
    return TRAINING if figure in _TRAINING else OTHER


def figures_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of all figures in rows, in the order of their groups."""
    names = dict.fromkeys(name for row in rows for name in row if name not in _PLACES)
    numbers = [n for n in names if any(_number(row.get(n)) is not None for row in rows)]
    return sorted(numbers, key=lambda name: GROUPS.index(group_of(name)))


def curves(runs: Sequence[RunFigures]) -> list[dict[str, Any]]:
    """Charts of every figure, for the page's script.

    Losses, and accuracies, of one run share a chart. Several runs share one for each
    figure.

    Returns:
      Charts with `group`, `title`, `text`, `log` (whether a logarithmic scale helps),
      `share` (whether values are shares of one) and `series`, each with `name`, `run`
      (a number), `x` (steps), `epoch`, `y`, and `within`, points within epochs in the
      same form.
    """
    names = list(dict.fromkeys(name for run in runs for name in figures_of(run.rows)))
    most = max(MOST_POINTS // len(runs), 100)
    charts: dict[tuple[str, str], dict[str, Any]] = {}
    for name in sorted(names, key=lambda name: GROUPS.index(group_of(name))):
        group = group_of(name)
        together = len(runs) == 1 and group in (LOSSES, ACCURACIES)
        title = group if together else plain_name(name)
        chart = charts.setdefault(
            (group, title),
            {"group": group, "title": title, "text": [], "series": [], "floors": []},
        )
        meaning = MEANINGS.get(name)
        if meaning:
            label = f"{plain_name(name)}: " if together else ""
            chart["text"].append(f"{label}{meaning}")
        for number, run in enumerate(runs):
            series = _series(run.rows, name, most)
            if series:
                label = plain_name(name) if len(runs) == 1 else run.name
                chart["series"].append({**series, "name": label, "run": number})
        if len(runs) == 1:
            chart["floors"] += _floors(runs[0].floors, name)
    for chart in charts.values():
        values = [y for series in chart["series"] for y in series["y"]]
        chart["share"] = chart["group"] == ACCURACIES
        chart["positive"] = bool(values) and min(values) > 0
        chart["log"] = (
            chart["positive"]
            and not chart["share"]
            and "learning rate" not in chart["title"]
            and max(values) / min(values) > _WIDE
        )
    return [chart for chart in charts.values() if chart["series"]]


def plain_name(figure: str) -> str:
    """A figure's name as words."""
    words = figure.replace("_", " ")
    return words.replace("knn", "kNN").replace("per second", "a second")


def _series(
    rows: Sequence[Mapping[str, Any]], name: str, most: int
) -> dict[str, Any] | None:
    """One figure: values of epochs' ends, and those within epochs."""
    ends: list[tuple] = []
    within: list[tuple] = []
    for row in rows:
        value, epoch = _number(row.get(name)), _number(row.get("epoch"))
        if value is not None:
            at_end = isinstance(row.get("epoch"), int)
            (ends if at_end else within).append((row["step"], epoch, value))
    if not ends:
        ends, within = within, []
    if not ends:
        return None
    return {
        **_columns(ends, most),
        "within": _columns(within, most) if within else None,
    }


def _columns(points: list[tuple], most: int) -> dict[str, list]:
    x, epoch, y = zip(*thinned(points, most))
    return {"x": list(x), "epoch": [_short(e) for e in epoch], "y": list(y)}


def thinned(points: list[tuple], most: int) -> list[tuple]:
    """So many points at most, the highest and the lowest of each span among them.

    Args:
      points: tuples whose last entry is the value.
      most: how many, 4 or more.
    """
    if len(points) <= most:
        return points
    spans = most // 2 - 1
    kept = {0, len(points) - 1}
    for span in range(spans):
        begin = span * len(points) // spans
        places = range(begin, max((span + 1) * len(points) // spans, begin + 1))
        kept |= {min(places, key=lambda i: points[i][-1])}
        kept |= {max(places, key=lambda i: points[i][-1])}
    return [points[place] for place in sorted(kept)]


def _floors(floors: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """What an encoder that has learned nothing gives, as lines in a chart."""
    found = []
    for key, text in (("start", "before training"), ("pixels", "bare pixels")):
        value = _number((floors.get(key) or {}).get(name))
        if value is not None and group_of(name) == ACCURACIES:
            found.append({"name": f"{plain_name(name)} {text}", "y": value})
    return found


def _number(value: Any) -> float | None:
    """A finite number in float32's digits; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(f"{value:.8g}") if math.isfinite(value) else None


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
