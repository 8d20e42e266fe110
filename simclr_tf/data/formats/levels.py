"""Pixels of more than 8 bits, or in floating point, as 8 bits."""

from __future__ import annotations

import numpy as np

# The values of black and white.
ValueRange = tuple[float, float]


def depth_of(pixels: np.ndarray, stated: int | None = None) -> int:
    """Bits that the values of a picture use: what its file states, or the type's.

    Args:
      pixels: unsigned integers.
      stated: bits that the file says its values have.
    """
    full = 8 * pixels.dtype.itemsize
    if stated is None or not 0 < stated < full:
        return full
    # A file may say less than is true: nothing may be cut off.
    used = int(pixels.max(initial=0)).bit_length()
    return max(stated, used)


def to_uint8(pixels: np.ndarray, low: float, high: float) -> np.ndarray:
    """Values from `low` to `high` spread over 0 to 255, as uint8; others are clipped.

    Raises:
      ValueError: where a value is NaN or infinite.
    """
    if not np.isfinite(pixels).all():
        raise ValueError("some of its pixels are NaN or infinite")
    scaled = (pixels.astype(np.float64) - low) * (255.0 / (high - low))
    return np.clip(np.round(scaled), 0, 255).astype(np.uint8)


def stated_to_uint8(pixels: np.ndarray, value_range: ValueRange) -> np.ndarray:
    """Values of a stated range spread over 0 to 255, as uint8.

    Raises:
      ValueError: where a value is NaN, infinite or out of the range.
    """
    black, white = value_range
    low, high = float(np.min(pixels)), float(np.max(pixels))
    if low < black or high > white:
        raise ValueError(out_of_range(value_range, f"{low:g} to {high:g}"))
    return to_uint8(pixels, black, white)


def out_of_range(value_range: ValueRange, found: str = "") -> str:
    """What is wrong with a file whose values are not all in the stated range."""
    black, white = value_range
    return f"it has values out of --value_range={black:g},{white:g}: {found}"


def as_rgb(pixels: np.ndarray) -> np.ndarray:
    """`[h, w]` or `[h, w, C]` of 1, 2, 3 or 4 channels as `[h, w, 3]`.

    A second or fourth channel is taken for transparency, over white.

    Raises:
      ValueError: for more channels.
    """
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    channels = pixels.shape[-1]
    if pixels.ndim != 3 or not 1 <= channels <= 4:
        raise ValueError(
            f"it holds pixels of shape {pixels.shape}; [h, w] and [h, w, 1 to 4] are "
            "read"
        )
    if channels in (2, 4):
        alpha = pixels[..., -1:].astype(np.float64) / 255.0
        over = pixels[..., :-1] * alpha + 255.0 * (1.0 - alpha)
        pixels = np.round(over).astype(np.uint8)
    return np.repeat(pixels, 3, -1) if pixels.shape[-1] == 1 else pixels
