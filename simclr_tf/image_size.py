"""The size of images and views: a side in pixels, or height and width."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Union

from simclr_tf.errors import UserError

# Of a square the side; of a rectangle height and width.
ImageSize = Union[int, tuple[int, int]]
# In pixels. No encoder sees more at once, and a slip of the pen asks for terabytes.
_LARGEST = 20_000


def parse_image_size(size: Any, name: str = "image_size") -> ImageSize:
    """A size in its one form: an int of a square, a tuple of another rectangle.

    Args:
      size: an int, height and width, or a text such as "96" and "96x160".
      name: what it is called, for messages.

    Raises:
      UserError: where it is none of these, or a side is below 1 or above 20,000.
    """
    if isinstance(size, str):
        found = re.fullmatch(r"(\d+)(?:x(\d+))?", size.strip())
        sides = [int(side or found[1]) for side in found.groups()] if found else []
    elif isinstance(size, Sequence):
        sides = [int(side) for side in size if side == int(side)]
    else:
        sides = [int(size)] * 2
    if len(sides) != 2:
        raise UserError(
            f"{name} must be a side in pixels, such as 96, or height and width: "
            f"(96, 160) in Python, 96x160 on the command line; got {size!r}."
        )
    if min(sides) < 1:
        raise UserError(
            f"{name} must be 1 or more, a side in pixels or both of them, got {size!r}."
        )
    if max(sides) > _LARGEST:
        raise UserError(
            f"{name} must be {_LARGEST:,} or less, a side in pixels, got {size!r}."
        )
    height, width = sides
    return height if height == width else (height, width)


def height_and_width(size: ImageSize) -> tuple[int, int]:
    """Both sides in pixels."""
    height, width = (size, size) if isinstance(size, int) else size
    return height, width


def shorter_side(size: ImageSize) -> int:
    """In pixels; of a square its side."""
    return min(height_and_width(size))


def longer_side(size: ImageSize) -> int:
    """In pixels; of a square its side."""
    return max(height_and_width(size))


def image_size_text(size: ImageSize) -> str:
    """A text such as "96" or "96x160", which `parse_image_size` reads."""
    height, width = height_and_width(size)
    return f"{height}" if height == width else f"{height}x{width}"


def scaled_to(size: ImageSize, shorter: int) -> ImageSize:
    """The size whose shorter side has so many pixels, in the same ratio."""
    sides = height_and_width(size)
    height, width = (round(side * shorter / min(sides)) for side in sides)
    return parse_image_size((height, width))
