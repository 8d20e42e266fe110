"""The page: what was found out of runs, put into its template."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from typing import Any

import jinja2

from simclr_tf.report import summary

_TEMPLATES = pathlib.Path(__file__).parent / "templates"


def render(contents: Mapping[str, Any]) -> str:
    """The whole page, with its styles and its script inside.

    Every text is escaped: names of files and classes are the user's own.

    Args:
      contents: what the template reads; `data` is handed to the script as JSON.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(_TEMPLATES)),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = summary.percent
    environment.filters["number"] = summary.number
    inside = {
        "style": (_TEMPLATES / "report.css").read_text(encoding="utf-8"),
        "script": (_TEMPLATES / "report.js").read_text(encoding="utf-8"),
        "data": as_json(contents["data"]),
    }
    text = environment.get_template("report.html").render({**contents, **inside})
    return text.lstrip()  # Its macros leave empty lines.


def as_json(values: Any) -> str:
    """JSON that no name in it can end early, for a `<script>` element.

    Raises:
      ValueError: for numbers that are infinite or NaN.
    """
    text = json.dumps(values, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
