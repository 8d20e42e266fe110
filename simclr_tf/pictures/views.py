"""A picture of what the augmentation makes of images."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure, FigureBase

from simclr_tf import whole_files
from simclr_tf.errors import UserError

CELL_INCHES = 1.1
_DOTS_PER_INCH = 130


def draw_views(images: np.ndarray, views: np.ndarray, title: str) -> Figure:
    """Each image beside views of it, a row an image.

    One channel is drawn grey, two as red and green, and of four and more the first
    three as red, green and blue; see `channels_drawn`.

    Args:
      images: floating point in [0, 1] `[N, H, W, C]`, as the encoder sees them when
        nothing is augmented.
      views: floating point in [0, 1] `[N, V, h, w, C]`.
      title: over the picture.
    """
    rows, columns = views.shape[:2]
    size = ((columns + 1.15) * CELL_INCHES, (rows + 0.6) * CELL_INCHES)
    figure = Figure(figsize=size, layout="constrained")
    draw_rows(figure, images, views)
    figure.suptitle(title, fontsize=10)
    return figure


def draw_rows(
    figure: FigureBase,
    images: np.ndarray,
    views: np.ndarray,
    names: Sequence[str] | None = None,
) -> np.ndarray:
    """The rows of `draw_views` in a figure or a part of one.

    Args:
      figure: takes them.
      images: see `draw_views`.
      views: see `draw_views`.
      names: over the columns of views; "view 1" and so on where None.

    Returns:
      The axes `[N, V + 2]`; the image's in column 0, the views' from column 2 on.
    """
    rows, columns = views.shape[:2]
    names = names or [f"view {view + 1}" for view in range(columns)]
    widths = [1, 0.05, *([1] * columns)]
    grid = figure.subplots(
        rows, columns + 2, squeeze=False, gridspec_kw={"width_ratios": widths}
    )
    for row in range(rows):
        pictures = [images[row], None, *views[row]]
        for axes, picture in zip(grid[row], pictures):
            axes.axis("off")
            if picture is not None:
                axes.imshow(as_rgb(picture), interpolation="nearest")
    for axes, name in zip(grid[0], ["image", "", *names]):
        axes.set_title(name, fontsize=9)
    return grid


def channels_drawn(channels: int) -> str:
    """Which of so many channels a picture shows, in words; "" where it shows all."""
    if channels in (1, 3):
        return ""
    if channels == 2:
        return "channel 1 red, 2 green"
    return f"channels 1 to 3 of {channels} as red, green, blue"


def as_rgb(picture: np.ndarray) -> np.ndarray:
    """`[H, W, C]` to RGB in [0, 1], see `draw_views`."""
    picture = np.clip(picture, 0.0, 1.0)
    if picture.shape[-1] == 1:
        return np.repeat(picture, 3, axis=-1)
    missing = max(3 - picture.shape[-1], 0)
    return np.pad(picture[..., :3], [(0, 0), (0, 0), (0, missing)])


def save_figure(figure: Figure, path: str) -> None:
    """Replaces a file by a figure as PNG, at any path that `tf.io.gfile` reaches.

    Raises:
      UserError: the path cannot be written.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DOTS_PER_INCH)
    try:
        whole_files.replace_file(path, buffer.getvalue())
    except whole_files.FILE_ERRORS as error:
        raise UserError(
            f"{path} cannot be written: {whole_files.why(error)}. Choose another place "
            "for it."
        ) from error
