"""TIFF: 8 bits by Pillow, other types by tifffile; of many pages the first, or any."""

from __future__ import annotations

import io
import struct
from typing import Any, BinaryIO

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
_INSTALL = "it is a TIFF of this kind, which needs: pip install 'simclr-tf[tiff]'"


# Bits of NewSubfileType: a smaller form of another page, and a mask.
_REDUCED_OR_MASK = 1 | 4


def _decode(contents: bytes, value_range: ValueRange | None) -> np.ndarray:
    """The first page of a whole file, see `decode_page`."""
    return decode_page(io.BytesIO(contents), 0, value_range)


def picture_pages(file: BinaryIO) -> list[int]:
    """Numbers of a file's pages, from 0, without smaller forms of others and masks.

    Args:
      file: opened for reading; nothing of its pixels is read.

    Raises:
      ValueError: where the pages cannot be told, or tifffile is missing.
    """
    with _opened(file) as opened:
        pages = [
            number
            for number, page in enumerate(opened.pages)
            if not page.subfiletype & _REDUCED_OR_MASK
        ]
        if _next_directory(opened, opened.pages[-1]):
            raise ValueError(
                f"its chain of pages breaks off after {len(opened.pages)}: the file "
                "was cut short"
            )
        described = (opened.imagej_metadata or {}) if opened.is_imagej else {}
        behind = int(described.get("images", 1))
    if len(pages) == 1 and behind > 1:
        raise ValueError(
            f"it is an ImageJ file of {behind} images behind one page: save it as "
            "BigTIFF or OME-TIFF"
        )
    if not pages:
        raise ValueError("it has no page that is a picture of its own")
    return pages


def is_deep_page(file: BinaryIO, page: int) -> bool:
    """Whether a page has more than 8 bits of a range that it need not say."""
    return not _is_plain(file, page)


def decode_page(
    file: BinaryIO, page: int, value_range: ValueRange | None
) -> np.ndarray:
    """A page of a file as uint8 `[h, w, 3]`; no more of the file is read.

    Of more than 8 bits the values of `value_range` are spread over 0 to 255. Without
    it, unsigned integers of 16 bits are spread from 0 to the largest value that the
    file states (its tag MaxSampleValue), or to 65,535; floating point must lie in
    [0, 1].
    """
    if _is_plain(file, page):
        return pillow.to_rgb(pillow.open_image(file, page))
    pixels, stated, zero_is_white = _by_tifffile(file, page)
    if value_range is None or pixels.dtype == np.uint8:
        shown = _as_uint8(pixels, stated)
    else:
        shown = stated_to_uint8(pixels, value_range)
    return as_rgb(255 - shown if zero_is_white else shown)


def _is_plain(file: BinaryIO, page: int) -> bool:
    """Whether Pillow reads the file without loss: 8 bits a sample, or 1."""
    try:
        bits = pillow.open_image(file, page).tag_v2.get(_BITS, (1,))
    except (OSError, EOFError):  # BigTIFF, and kinds that Pillow does not know.
        return False
    return all(each in (1, 2, 4, 8) for each in np.atleast_1d(bits))


def _next_directory(opened: Any, page: Any) -> int:
    """Where in the file the page after one is described; 0 after the last."""
    form, file = opened.tiff, opened.filehandle
    file.seek(page.offset)
    (tags,) = struct.unpack(form.tagnoformat, file.read(form.tagnosize))
    file.seek(page.offset + form.tagnosize + tags * form.tagsize)
    return struct.unpack(form.offsetformat, file.read(form.offsetsize))[0]


def _opened(file: BinaryIO) -> Any:
    """The file as tifffile's."""
    try:
        import tifffile
    except ImportError as error:
        raise ValueError(_INSTALL) from error
    file.seek(0)
    return tifffile.TiffFile(file)


def _by_tifffile(file: BinaryIO, number: int) -> tuple[np.ndarray, int | None, bool]:
    """Of a page: pixels, channels last, bits stated, whether zero is white."""
    with _opened(file) as opened:
        page = opened.pages[number]
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


def _is_deep(contents: bytes) -> bool:
    return is_deep_page(io.BytesIO(contents), 0)


TIFF = Format("TIFF", _MAGICS, _decode, _is_deep)
