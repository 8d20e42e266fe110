"""What the page shows of one run, beside its curves."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from simclr_tf.augmentation.view_warnings import view_warnings
from simclr_tf.pictures import channels_drawn
from simclr_tf.progress import duration
from simclr_tf.report import neighbours, summary
from simclr_tf.report.confusion import (
    Confusion,
    confusion_of_evaluation,
    confusion_of_sample,
)
from simclr_tf.report.curves import figures_of, group_of
from simclr_tf.report.embedding_map import clusters, principal_components, umap
from simclr_tf.report.run_figures import RunFigures
from simclr_tf.report.sample import Sample
from simclr_tf.report.spectrum import spectrum
from simclr_tf.report.thumbnails import Sheet, sheet_within

QUERIES, _NEIGHBOURS = 12, 8
_SUSPECTS, _PAIRS = 12, 12
# A matrix of more classes than this does not fit a page.
_MATRIX = 30
# Pictures of so few pixels are drawn with their pixels seen.
_PIXELATED = 40
_VIEWS_SHARE = 0.2
# What commands measured, in words.
_EVALUATIONS = {"knn": "nearest neighbours", "linear_eval": "linear evaluation"}


@dataclasses.dataclass(frozen=True)
class NumberedSheet:
    """A sheet of pictures that the page's styles call by a number."""

    sheet: Sheet
    number: int

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sheet, name)

    @property
    def pixelated(self) -> bool:
        """Whether it shows single pixels."""
        return max(self.sheet.width, self.sheet.height) <= _PIXELATED

    def style(self, place: int) -> str:
        """CSS that shows one of its pictures."""
        row, column = divmod(place, self.sheet.columns)
        x = 100 * column / max(self.sheet.columns - 1, 1)
        y = 100 * row / max(self.sheet.rows - 1, 1)
        return f"--x:{x:.4f}%;--y:{y:.4f}%"


def section_of_figures(run: RunFigures, number: int) -> dict[str, Any]:
    """The parts that rest on the files of the run folder alone.

    Args:
      run: its figures.
      number: of the run on the page, from 0 on.
    """
    floors = [
        {**row, "share": group_of(row["figure"]) == "Accuracy"}
        for row in summary.floors_table(run)
    ]
    classes = (run.data.get("fingerprint") or {}).get("classes")
    classes = classes if isinstance(classes, list) else []
    found = [
        confusion_of_evaluation(_EVALUATIONS.get(name, name), values, classes)
        for name, values in [*run.evaluations.items(), ("the classifier", run.result)]
    ]
    return {
        "number": number,
        "name": run.name,
        "path": run.path,
        "headline": summary.headline(run),
        "verdict": summary.verdict(run),
        "notes": list(run.notes),
        "tiles": summary.tiles(run),
        "evaluations": summary.evaluations_table(run),
        "floors": floors,
        "figures": summary.figures_table(run, figures_of(run.rows)),
        "facts": _facts(run),
        "commands": summary.commands(run) if run.flags else [],
        "settings": run.settings,
        "flags": run.flags,
        "recipe_views": run.settings.get("views", ""),
        "alignment": run.measured.get("alignment"),
        "confusions": [_shown(each) for each in found if each],
        **dict.fromkeys(("views", "sample", "spectrum", "sheet")),
        **{name: [] for name in ("neighbours", "disagreements", "duplicates")},
        **{"drawn": "", "view_warnings": [], "labelled": False, "map_words": ""},
    }


def add_sample(
    section: dict[str, Any], sample: Sample, sheets: list[NumberedSheet], room: int
) -> dict[str, Any]:
    """Adds to a section what a sample of the run's images shows.

    Args:
      section: of `section_of_figures`.
      sample: the images.
      sheets: the pictures of the page; those of this run are added.
      room: bytes that they may take.

    Returns:
      The map, for the page's script.
    """
    sheet = _add_sheet(sheets, sample.tiles, int(room * (1 - _VIEWS_SHARE)))
    section["sheet"] = sheet
    section["notes"] += sample.notes
    section["labelled"] = sample.labels is not None
    section["drawn"] = channels_drawn(sample.channels)
    _add_views(section, sample, sheets, int(room * _VIEWS_SHARE))
    similarity = neighbours.similarities(sample.features)
    groups = clusters(sample.features)
    _add_neighbours(section, sample, similarity, groups)
    _add_suspects(section, sample, similarity)
    held_out = int(sample.held_out.sum())
    words = f"A sample of {len(sample):,} of {sample.total:,} images"
    words += f", {held_out:,} of them held out" if held_out else ", none held out"
    section["sample"] = {"words": f"{words}."}
    found = spectrum(sample.features)
    if found is not None:
        directions = min(found["width"], found["images"])
        section["spectrum"] = {**found, "directions": directions}
    confusion = confusion_of_sample(sample)
    if confusion is not None:
        section["confusions"].append(_shown(confusion))
    return _map(section, sample, groups, sheet)


def _add_sheet(
    sheets: list[NumberedSheet], tiles: np.ndarray, room: int
) -> NumberedSheet:
    sheets.append(NumberedSheet(sheet_within(tiles, room), len(sheets)))
    return sheets[-1]


def _add_views(
    section: dict[str, Any], sample: Sample, sheets: list[NumberedSheet], room: int
) -> None:
    rows, columns = sample.views.shape[:2]
    tiles = sample.views.reshape(-1, *sample.views.shape[2:])
    places = np.arange(rows * columns).reshape(rows, columns).tolist()
    section["views"] = {"sheet": _add_sheet(sheets, tiles, room), "rows": places}
    shares = sample.views.astype(np.float32) / 255.0
    section["view_warnings"] = view_warnings(shares[:, 0], shares[:, 1:])


def _add_neighbours(
    section: dict[str, Any],
    sample: Sample,
    similarity: np.ndarray,
    groups: np.ndarray,
) -> None:
    by = groups if sample.labels is None else sample.labels
    order = neighbours.nearest(similarity, _NEIGHBOURS - 1)
    for query in neighbours.spread_queries(by, QUERIES):
        row = [_picture(sample, query)]
        for place in order[query].tolist():
            cosine = float(similarity[query, place])
            row.append({**_picture(sample, place, query), "cosine": cosine})
        section["neighbours"].append(row)


def _picture(sample: Sample, place: int, query: int | None = None) -> dict[str, Any]:
    """A picture's place, name and class, and whether it has another than a query."""
    label = sample.label(place)
    other = query is not None and bool(label) and sample.label(query) not in ("", label)
    return {"place": place, "name": sample.names[place], "label": label, "other": other}


def _add_suspects(
    section: dict[str, Any], sample: Sample, similarity: np.ndarray
) -> None:
    if sample.labels is not None:
        found = neighbours.disagreements(
            similarity, sample.labels, len(sample.classes), _SUSPECTS
        )
        section["disagreements"] = [
            {
                "images": [
                    _picture(sample, each.place),
                    *(_picture(sample, p, each.place) for p in each.neighbours),
                ],
                "said": sample.classes[each.said],
                "theirs": sample.classes[each.theirs],
                "share": each.share,
                "name": sample.names[each.place],
            }
            for each in found
        ]
    for pair in neighbours.near_duplicates(similarity, sample.tiles, _PAIRS):
        places = (pair.first, pair.second)
        labels = {sample.label(place) for place in places} - {""}
        held = {bool(sample.held_out[place]) for place in places}
        section["duplicates"].append(
            {
                "images": [_picture(sample, place) for place in places],
                "cosine": pair.similarity,
                "difference": pair.difference,
                "split": len(held) == 2,
                "labels": " and ".join(sorted(labels)) if len(labels) == 2 else "",
            }
        )


def _map(
    section: dict[str, Any], sample: Sample, groups: np.ndarray, sheet: NumberedSheet
) -> dict[str, Any]:
    points, share = principal_components(sample.features)
    projections = {"PCA": points}
    words = (
        f"Two principal components, which hold {summary.percent(share)} of the variance"
    )
    other = umap(sample.features)
    if other is not None:
        projections = {"UMAP": other, **projections}
        words = (
            f"UMAP keeps neighbours together; PCA shows {words[0].lower()}{words[1:]}"
        )
    else:
        words += "; with the package umap-learn installed there is UMAP as well"
    section["map_words"] = words + "."
    count = int(groups.max()) + 1
    names = [f"group {number + 1}" for number in range(count)]
    coloured = {"group": {"names": names, "of": groups.tolist()}}
    if sample.labels is not None:
        of = sample.labels.tolist()
        own = {"names": list(sample.classes), "of": of}
        coloured = {"class": own, **coloured}
    if len(set(sample.held_out.tolist())) == 2:
        of = sample.held_out.astype(int).tolist()
        coloured["part"] = {"names": ["learned from", "held out"], "of": of}
    return {
        "projections": {
            n: np.round(_scaled(p), 4).tolist() for n, p in projections.items()
        },
        "groups": coloured,
        "names": list(sample.names),
        "sheet": {
            "number": sheet.number,
            "columns": sheet.columns,
            "rows": sheet.rows,
            "pixelated": sheet.pixelated,
        },
    }


def _scaled(points: np.ndarray) -> np.ndarray:
    """Points with coordinates from -1 to 1."""
    points = points - (points.max(axis=0) + points.min(axis=0)) / 2
    largest = np.abs(points).max(axis=0)
    return points / np.where(largest > 0, largest, 1.0)


def _shown(confusion: Confusion) -> dict[str, Any]:
    """A confusion for the template."""
    counts, names = confusion.counts, confusion.classes
    matrix: Sequence[Mapping[str, Any]] = []
    if len(names) <= _MATRIX:
        largest = np.maximum(counts.sum(axis=1, keepdims=True), 1)
        shades = 0.08 + 0.72 * counts / largest
        matrix = [
            {
                "name": names[row],
                "cells": [
                    {
                        "count": int(counts[row, column]),
                        "shade": f"{shades[row, column]:.2f}",
                        "right": row == column,
                        "name": names[column],
                    }
                    for column in range(len(names))
                ],
            }
            for row in range(len(names))
        ]
    source = confusion.source
    return {
        "title": source[0].upper() + source[1:].split(":")[0].split(",")[0],
        "words": f"{source[0].upper()}{source[1:]}: "
        f"{summary.percent(confusion.accuracy)} are taken for what they are. A row is "
        "a class, a column what its images are taken for.",
        "classes": list(names),
        "matrix": matrix,
        "per_class": confusion.per_class(),
    }


def _facts(run: RunFigures) -> list[dict[str, str]]:
    """Speed, memory and versions, as far as the run noted them."""
    result, end = run.result, run.measured
    found: list[tuple[str, Any]] = []
    seconds = result.get("seconds")
    if isinstance(seconds, (int, float)):
        found.append(("Training time", duration(seconds)))
    speed = result.get("images_per_second") or end.get("images_per_second")
    if isinstance(speed, (int, float)):
        found.append(("Speed", f"{speed:,.1f} images a second, with all their views"))
    memory = result.get("peak_memory_bytes")
    if isinstance(memory, (int, float)):
        text = f"{memory / 1e9:.2f} GB at its peak, of the whole process"
        found.append(("Memory of the host", text))
    memory = result.get("peak_device_memory_bytes")
    if isinstance(memory, (int, float)):
        found.append(("Memory of a device", f"{memory / 1e9:.2f} GB at its peak"))
    for name, text in (
        ("replicas", "Replicas"),
        ("steps", "Steps"),
        ("encoder_parameters", "Parameters of the encoder"),
        ("held_out", "Training images held out"),
    ):
        if isinstance(result.get(name), int):
            found.append((text, f"{result[name]:,}"))
    found += [(f"Version of {n}", v) for n, v in summary.versions(run).items()]
    if not found:
        found = [("Not known", "the run has not ended, and noted no speed")]
    return [{"name": name, "value": value} for name, value in found]
