"""A picture of what an augmentation makes of images, whole and layer by layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from simclr_tf.augmentation.layers_alone import LayerAlone
from simclr_tf.pictures.views import CELL_INCHES, draw_rows

# Below a picture, for what was drawn.
_WORDS_INCHES = 0.72


def draw_preview(
    images: np.ndarray, views: np.ndarray, alone: Sequence[LayerAlone], title: str
) -> Figure:
    """Images beside their views; below, some of them as each layer alone makes them.

    Args:
      images: floating point in [0, 1] `[N, h, w, C]`, see `draw_views`.
      views: floating point in [0, 1] `[N, V, h, w, C]`.
      alone: of the first `n` images, `n` at most N.
      title: over the picture.
    """
    rows, columns = views.shape[:2]
    shown = len(alone[0].views)
    heights = [
        (rows + 0.6) * CELL_INCHES,
        shown * (CELL_INCHES + _WORDS_INCHES) + 0.6 * CELL_INCHES,
    ]
    width = (max(columns, len(alone)) + 1.15) * CELL_INCHES
    figure = Figure(figsize=(width, sum(heights)), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=heights)
    draw_rows(above, images, views)
    figure.suptitle(title, fontsize=10)
    each = np.stack([layer.views for layer in alone], axis=1)
    grid = draw_rows(below, images[:shown], each, [layer.name for layer in alone])
    for row in range(shown):
        for column, layer in enumerate(alone):
            grid[row][column + 2].text(
                *(0.5, -0.04, layer.drawn[row]),
                transform=grid[row][column + 2].transAxes,
                fontsize=6.5,
                horizontalalignment="center",
                verticalalignment="top",
            )
    below.suptitle("Each layer alone, and what was drawn for it", fontsize=10)
    return figure
