"""Formats of image files, found by the first bytes of a file."""

from __future__ import annotations

import numpy as np

from simclr_tf.data.formats.dicom import DICOM
from simclr_tf.data.formats.format import Format
from simclr_tf.data.formats.levels import ValueRange
from simclr_tf.data.formats.netpbm import NETPBM
from simclr_tf.data.formats.tiff import TIFF
from simclr_tf.data.formats.webp import WEBP

HEAD = 256  # bytes that tell every format

# A new format is a file with such an object and a place here.
FORMATS = (
    # TensorFlow decodes these itself.
    Format("JPEG", [[(0, b"\xff\xd8\xff")]]),
    Format("PNG", [[(0, b"\x89PNG")]], is_deep=lambda start: start[24:25] == b"\x10"),
    Format("GIF", [[(0, b"GIF8")]]),
    Format("BMP", [[(0, b"BM")]]),
    WEBP,
    TIFF,
    NETPBM,
    DICOM,
)


def find_format(head: bytes) -> Format | None:
    """The format of a file by its first `HEAD` bytes; None where none is known."""
    return next((each for each in FORMATS if each.matches(head)), None)


def decode_file(contents: bytes, value_range: ValueRange | None = None) -> np.ndarray:
    """A whole file as uint8 `[h, w, 3]`, of a format that TensorFlow does not decode.

    Args:
      contents: the file's bytes.
      value_range: the values of black and white in files that are deep, see `Format`.

    Raises:
      ValueError: where it is damaged, too large or needs a package that is missing.
    """
    found = find_format(contents[:HEAD])
    if found is None or found.decode is None:
        raise ValueError("it is of no format that is decoded here")
    try:
        stated = () if found.is_deep is None else (value_range,)
        return np.ascontiguousarray(found.decode(contents, *stated))
    except MemoryError:
        raise
    except Exception as error:  # Decoders raise many kinds for damaged files.
        why = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(f"{found.name}: {why[0]}") from None
