"""TIFF: 8 bits by Pillow, other types by tifffile; of many pages the first."""

from __future__ import annotations

import io

import numpy as np

from simclr_tf.data.formats import pillow
from simclr_tf.data.formats.format import Format
from simclr_tf.data.formats.levels import (
    ValueRange,
    as_rgb,
    depth_of,
    stated_to_uint8,
    to_uint8,
)
from simclr_tf.data.image_headers import MAX_PIXELS

_MAGICS = [[(0, magic)] for magic in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")]
_BITS, _LARGEST = 258, 281  # tags: BitsPerSample, MaxSampleValue
_INSTALL = "it is a TIFF of this kind, which needs: pip install 'simclr_tf[tiff]'"


def _decode(contents: bytes, value_range: ValueRange | None) -> np.ndarray:
    """A whole file as uint8 `[h, w, 3]`.

    Of more than 8 bits the values of `value_range` are spread over 0 to 255. Without
    it, unsigned integers of 16 bits are spread from 0 to the largest value that the
    file states (its tag MaxSampleValue), or to 65,535; floating point must lie in
    [0, 1].
    """
    if _is_plain(contents):
        return pillow.decode(contents)
    pixels, stated, zero_is_white = _by_tifffile(contents)
    if value_range is None or pixels.dtype == np.uint8:
        shown = _as_uint8(pixels, stated)
    else:
        shown = stated_to_uint8(pixels, value_range)
    return as_rgb(255 - shown if zero_is_white else shown)


def _is_plain(contents: bytes) -> bool:
    """Whether Pillow reads the file without loss: 8 bits a sample, or 1."""
    try:
        with pillow.open_image(contents) as image:
            bits = image.tag_v2.get(_BITS, (1,))
    except OSError:  # BigTIFF, and kinds that Pillow does not know.
        return False
    return all(each in (1, 2, 4, 8) for each in np.atleast_1d(bits))


def _by_tifffile(contents: bytes) -> tuple[np.ndarray, int | None, bool]:
    """Of the first page: pixels, channels last, bits stated, whether zero is white."""
    try:
        import tifffile
    except ImportError as error:
        raise ValueError(_INSTALL) from error
    with tifffile.TiffFile(io.BytesIO(contents)) as file:
        page = file.pages.first
        if page.imagewidth * page.imagelength > MAX_PIXELS:
            raise ValueError(
                f"the header claims {page.imagelength} x {page.imagewidth} pixels; "
                f"1 to {MAX_PIXELS} are read"
            )
        pixels = page.asarray()
        if page.planarconfig == 2 and pixels.ndim == 3:
            pixels = np.moveaxis(pixels, 0, -1)
        largest = page.tags.get(_LARGEST)
        zero_is_white = page.photometric == 0 and pixels.dtype.kind == "u"
    value = None if largest is None else int(np.max(largest.value))
    return pixels, None if not value else value.bit_length(), zero_is_white


def _as_uint8(pixels: np.ndarray, stated: int | None) -> np.ndarray:
    if pixels.dtype == np.uint8:
        return pixels
    if np.issubdtype(pixels.dtype, np.unsignedinteger):
        return to_uint8(pixels, 0, 2 ** depth_of(pixels, stated) - 1)
    if np.issubdtype(pixels.dtype, np.floating):
        low, high = float(np.min(pixels)), float(np.max(pixels))
        if not (low >= 0.0 and high <= 1.0):
            raise ValueError(
                f"its floating-point values run from {low:g} to {high:g}, and must lie "
                f"in [0, 1], or in a stated range: --value_range={low:g},{high:g}"
            )
        return to_uint8(pixels, 0.0, 1.0)
    raise ValueError(
        f"its pixels are {pixels.dtype}, whose black and white must be stated, as in "
        "--value_range=-1000,1000"
    )


TIFF = Format("TIFF", _MAGICS, _decode, lambda contents: not _is_plain(contents))
