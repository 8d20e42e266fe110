"""A report of runs, written as one file."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from simclr_tf import messages
from simclr_tf.errors import UserError
from simclr_tf.report import curves as curve_charts
from simclr_tf.report import summary
from simclr_tf.report.page import render
from simclr_tf.report.run_figures import RunFigures, names_apart, read_run
from simclr_tf.report.sample import take_sample
from simclr_tf.report.section import NumberedSheet, add_sample, section_of_figures
from simclr_tf.training import RunFolder
from simclr_tf.version import __version__

# A page stays below this, so that it can be sent by mail.
MOST_BYTES = 5_000_000
MOST_IMAGES = 5000
# What the page takes beside its pictures and its curves, with room to spare.
_WITHOUT_PICTURES = 600_000
# Of an image on the map: its name, its places and its groups.
_BYTES_OF_IMAGE = 160
_LINKS = (
    ("summary", "Summary"),
    ("compare", "Compare"),
    ("curves", "Curves"),
    ("views", "Views"),
    ("neighbours", "Neighbours"),
    ("map", "Map"),
    ("geometry", "Geometry"),
    ("classes", "Classes"),
    ("data", "Data"),
    ("speed", "Speed"),
    ("settings", "Settings"),
)


def make_report(
    runs: Sequence[str],
    *,
    images: int = 600,
    seconds: float = 60.0,
    say: Callable[[str], None] = messages.say,
) -> str:
    """A self-contained HTML page of a run, or of several side by side.

    What cannot be drawn, since a file is damaged or the images are no longer there, is
    said on the page and left out.

    Args:
      runs: run folders, one or more, local or remote.
      images: how many of a run's images are encoded at most, up to 5,000, since all
        pairs are compared; 0 for a page without pictures.
      seconds: for which images of each run are encoded at most.
      say: called with lines on what is missing.

    Returns:
      The page, below `MOST_BYTES` as UTF-8.

    Raises:
      UserError: where no runs are named, a folder holds nothing of a run, or `images`
        is out of its range.
    """
    if not runs:
        raise UserError("Name one run folder or more.")
    if not 0 <= images <= MOST_IMAGES:
        raise UserError(f"images must be 0 to {MOST_IMAGES}, got {images}.")
    paths = list(dict.fromkeys(runs))
    found = [read_run(path, name) for path, name in zip(paths, names_apart(paths))]
    charts = curve_charts.curves(found)
    room = MOST_BYTES - _WITHOUT_PICTURES - len(json.dumps(charts))
    sheets: list[NumberedSheet] = []
    sections, maps = [], {}
    for number, run in enumerate(found):
        section = section_of_figures(run, number)
        before = len(sheets)
        try:
            if images:
                sample = take_sample(
                    RunFolder(run.path), images=images, seconds=seconds, say=say
                )
                share = room // len(found) - _BYTES_OF_IMAGE * len(sample)
                maps[number] = add_sample(section, sample, sheets, share)
        except Exception as error:
            # Half of its pictures would be no help.
            del sheets[before:]
            section = section_of_figures(run, number)
            line = f"No pictures: {_in_words(error)}"
            section["notes"].append(line)
            say(f"{run.name}: {line}")
        sections.append(section)
    return _page(found, sections, charts, maps, sheets)


def _in_words(error: Exception) -> str:
    """What went wrong, in a line; of a defect also what kind it is."""
    if isinstance(error, UserError):
        return str(error)
    line = traceback.format_exception_only(type(error), error)[-1].strip()
    return f"by a defect, {line[:300]}"


def _page(
    runs: Sequence[RunFigures],
    sections: Sequence[dict[str, Any]],
    charts: list[dict[str, Any]],
    maps: dict[int, Any],
    sheets: Sequence[NumberedSheet],
) -> str:
    several = len(runs) > 1
    for chart in charts:
        for number, series in enumerate(chart["series"]):
            series["color"] = series["run"] if several else number
    headings = {
        "Loss and accuracy": (curve_charts.LOSSES, curve_charts.ACCURACIES),
        **{group: (group,) for group in curve_charts.GROUPS[2:]},
    }
    groups = [
        {
            "name": heading,
            "charts": [i for i, c in enumerate(charts) if c["group"] in members],
        }
        for heading, members in headings.items()
    ]
    spectra = {
        section["number"]: [
            {
                "name": section["name"],
                "color": section["number"] if several else 0,
                "values": section["spectrum"].pop("values"),
            }
        ]
        for section in sections
        if section["spectrum"]
    }
    title = ", ".join(run.name for run in runs)
    if len(runs) > 3:
        title = f"{len(runs)} runs"
    return render(
        {
            "title": title,
            "version": __version__,
            "several": several,
            "runs": sections,
            "notes": [],
            "links": _links(sections, several),
            "floor_names": summary.floor_names(),
            "results": _rows(summary.result_differences(runs)) if several else [],
            "differences": _rows(summary.setting_differences(runs)) if several else [],
            "groups": [group for group in groups if group["charts"]],
            "has_within": any(s["within"] for c in charts for s in c["series"]),
            "thinned": any(len(run.rows) > curve_charts.MOST_POINTS for run in runs),
            "sheets": sheets,
            "data": {"curves": charts, "maps": maps, "spectra": spectra},
        }
    )


def _rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with `values_`: in a template `values` is a method of each dict."""
    return [{**row, "values_": row["values"]} for row in rows]


def _links(sections: Sequence[dict[str, Any]], several: bool) -> list[dict[str, str]]:
    """The page's parts, for its menu."""
    if several:
        parts = [("compare", "Compare"), ("curves", "Curves")]
        parts += [(f"run{s['number']}", s["name"]) for s in sections]
        return [{"id": each, "text": text} for each, text in parts]
    (section,) = sections
    absent = {"compare"}
    if section["views"] is None:
        absent |= {"views", "neighbours", "map", "data"}
    if not section["spectrum"]:
        absent |= {"geometry"}
    if not section["confusions"]:
        absent |= {"classes"}
    return [{"id": i, "text": t} for i, t in _LINKS if i not in absent]
