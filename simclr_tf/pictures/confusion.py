"""A confusion matrix as a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from simclr_tf.messages import printable

_CELL, _SMALL_CELL = 0.5, 0.17  # inches
_NUMBERED_AT_MOST = 30  # classes whose counts are written into the cells
_NAMED_AT_MOST = 120  # classes whose names fit beside the rows
_LETTERS = 24  # of a name
_WIDEST = 24.0  # inches


def draw_confusion(confusion: np.ndarray, names: Sequence[str], title: str) -> Figure:
    """How often each class was taken for which, as a picture.

    Rows are the true classes, and the shade of a cell is its share of the row. Up to 30
    classes the counts are written into the cells; up to 120 the names stand beside
    rows and columns, and beyond that every so many of them.

    Args:
      confusion: counts `[C, C]`, see `evaluation.confusion.confusion_of`.
      names: of the C classes.
      title: over the picture.
    """
    count = len(confusion)
    numbered = count <= _NUMBERED_AT_MOST
    cell = min(_CELL if numbered else _SMALL_CELL, _WIDEST / count)
    side = max(count * cell, 2.0)
    figure = Figure(figsize=(side + 2.8, side + 2.0), layout="constrained")
    axes = figure.subplots()
    totals = np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    shares = confusion / totals
    image = axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
    bar = figure.colorbar(image, ax=axes, shrink=0.6, pad=0.01)
    bar.set_label("share of the true class", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    ticks = np.arange(0, count, -(-count // _NAMED_AT_MOST))
    shown = [_short(names[tick]) for tick in ticks]
    size = 9 if numbered else 7
    axes.set_xticks(ticks, shown, rotation=90, fontsize=size)
    axes.set_yticks(ticks, shown, fontsize=size)
    axes.set_xlabel("recognised as", fontsize=9)
    axes.set_ylabel("true class", fontsize=9)
    axes.set_title(title, fontsize=10)
    if numbered:
        for row, column in np.argwhere(confusion > 0):
            axes.text(
                column,
                row,
                f"{confusion[row, column]}",
                ha="center",
                va="center",
                fontsize=8 if confusion.max() < 1000 else 6,
                color="white" if shares[row, column] > 0.5 else "black",
            )
    return figure


def _short(name: str) -> str:
    # A dollar sign would begin a formula.
    name = " ".join(printable(name).split())
    name = name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…"
    return name.replace("$", r"\$")
