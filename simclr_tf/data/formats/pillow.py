"""What Pillow opens, as 8-bit RGB."""

from __future__ import annotations

import io
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from simclr_tf.data.image_headers import MAX_PIXELS

# Behind transparent pixels, whose own colours were never meant to be seen.
BACKGROUND = (255, 255, 255)


def open_image(file: bytes | BinaryIO, page: int = 0) -> Image.Image:
    """A picture of a file, not decoded yet.

    Args:
      file: its contents, or the file itself, opened for reading.
      page: which of its pictures, the first being 0.

    Raises:
      ValueError: where it claims more than `MAX_PIXELS` pixels.
      OSError: where it is damaged.
    """
    image = Image.open(io.BytesIO(file) if isinstance(file, bytes) else file)
    if page:
        image.seek(page)
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ValueError(
            f"the header claims {height} x {width} pixels; 1 to {MAX_PIXELS} are read"
        )
    return image


def to_rgb(image: Image.Image) -> np.ndarray:
    """uint8 `[h, w, 3]`: turned as its EXIF asks for, over white where transparent."""
    image = ImageOps.exif_transpose(image)
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        behind = Image.new("RGBA", image.size, (*BACKGROUND, 255))
        image = Image.alpha_composite(behind, image)
    return np.asarray(image.convert("RGB"))


def decode(contents: bytes) -> np.ndarray:
    """A whole file as uint8 `[h, w, 3]`."""
    return to_rgb(open_image(contents))
