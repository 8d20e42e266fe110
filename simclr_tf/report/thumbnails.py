"""Small pictures, many of them in one JPEG file inside the page."""

from __future__ import annotations

import base64
import dataclasses
import io
import math

import numpy as np
from PIL import Image

from simclr_tf.pictures.views import as_rgb


@dataclasses.dataclass(frozen=True)
class Sheet:
    """Pictures of one size, in rows.

    Attributes:
      uri: a `data:` URI of the JPEG file.
      columns: pictures in a row.
      rows: how many rows.
      width: of a picture in pixels.
      height: of a picture in pixels.
    """

    uri: str
    columns: int
    rows: int
    width: int
    height: int


def thumbnails(images: np.ndarray, side: int) -> np.ndarray:
    """Pictures as RGB, none larger than they are.

    Args:
      images: floating point in [0, 1] `[N, h, w, C]`; see `pictures.as_rgb` for what is
        drawn of other channels than three.
      side: of the longer side in pixels at most.

    Returns:
      uint8 `[N, h', w', 3]`.
    """
    height, width = images.shape[1:3]
    share = min(1.0, side / max(height, width))
    size = max(round(width * share), 1), max(round(height * share), 1)
    pixels = [np.uint8(np.round(255 * as_rgb(image))) for image in images]
    if size == (width, height):
        return np.stack(pixels)
    resized = [
        Image.fromarray(each).resize(size, Image.Resampling.BOX) for each in pixels
    ]
    return np.stack([np.asarray(each) for each in resized])


def sheet(tiles: np.ndarray, quality: int = 82) -> Sheet:
    """Puts pictures into one file.

    Args:
      tiles: uint8 `[N, h, w, 3]`, N at least 1.
      quality: of JPEG, 1 to 95.
    """
    count, height, width = tiles.shape[:3]
    columns = math.ceil(math.sqrt(count * height / width))
    rows = math.ceil(count / columns)
    empty = np.zeros((rows * columns - count, height, width, 3), np.uint8)
    grid = np.concatenate([tiles, empty]).reshape(rows, columns, height, width, 3)
    whole = grid.swapaxes(1, 2).reshape(rows * height, columns * width, 3)
    file = io.BytesIO()
    # Full resolution of colours: subsampled, a picture bleeds into those beside it.
    Image.fromarray(whole).save(file, "JPEG", quality=quality, subsampling=0)
    text = base64.b64encode(file.getvalue()).decode("ascii")
    return Sheet(f"data:image/jpeg;base64,{text}", columns, rows, width, height)


def sheet_within(tiles: np.ndarray, most_bytes: int) -> Sheet:
    """As `sheet`, at a quality, and if need be a size, that a page has room for.

    Args:
      tiles: see `sheet`.
      most_bytes: of the `data:` URI.
    """
    while True:
        for quality in (85, 75, 60, 45):
            made = sheet(tiles, quality)
            if len(made.uri) <= most_bytes or max(tiles.shape[1:3]) <= 8:
                return made
        tiles = thumbnails(tiles / 255.0, max(tiles.shape[1:3]) * 2 // 3)
