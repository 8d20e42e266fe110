"""Rows of images with words under each, such as a query and its neighbours."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from simclr_tf.pictures.views import CELL_INCHES, as_rgb

_CELL = 1.35 * CELL_INCHES
# Characters that fit under an image.
_WIDTH = 22


class Captioned(NamedTuple):
    """An image and the lines under it.

    Attributes:
      image: floating point in [0, 1] `[h, w, C]`, drawn as `draw_views` does.
      lines: of text; long ones lose their middle.
    """

    image: np.ndarray
    lines: Sequence[str]


def draw_captioned(rows: Sequence[Sequence[Captioned]], title: str) -> Figure:
    """Images row by row; rows may have different lengths.

    Args:
      rows: 1 or more, each of 1 or more images.
      title: over the picture.
    """
    columns = max(len(row) for row in rows)
    most = max(len(captioned.lines) for row in rows for captioned in row)
    height = _CELL + 0.14 * most
    # A title has to fit over a single column too.
    size = (max(columns, 4) * _CELL, len(rows) * height + 0.5)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(rows), max(columns, 4), squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for row, some in zip(grid, rows):
        for axes, captioned in zip(row, some):
            axes.imshow(as_rgb(captioned.image), interpolation="nearest")
            text = "\n".join(_shortened(line) for line in captioned.lines)
            # What looks like TeX in a file's name is no formula.
            axes.text(
                *(0.5, -0.03, text),
                transform=axes.transAxes,
                ha="center",
                va="top",
                fontsize=7,
                parse_math=False,
            )
    lines = textwrap.wrap(title, 26 * max(columns, 4))
    figure.suptitle("\n".join(lines), fontsize=9, parse_math=False)
    return figure


def _shortened(line: str) -> str:
    if len(line) <= _WIDTH:
        return line
    half = (_WIDTH - 1) // 2
    return f"{line[:half]}…{line[-half:]}"
