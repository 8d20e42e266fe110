"""DICOM, by pydicom: the first frame, in the window that the file states."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from simclr_tf.data.formats.format import Format
from simclr_tf.data.formats.levels import as_rgb, to_uint8
from simclr_tf.data.image_headers import MAX_PIXELS

_INSTALL = "it is a DICOM file, which needs: pip install 'simclr-tf[dicom]'"


def _decode(contents: bytes) -> np.ndarray:
    """The first frame as uint8 `[h, w, 3]`.

    Grey values go through the file's rescaling and window (VOI); without a window,
    the range that its stored bits can hold is spread over 0 to 255. MONOCHROME1 is
    inverted, so that more is brighter.
    """
    try:
        import pydicom
    except ImportError as error:
        raise ValueError(_INSTALL) from error
    file = pydicom.dcmread(io.BytesIO(contents))
    if file.Rows * file.Columns > MAX_PIXELS:
        raise ValueError(
            f"the header claims {file.Rows} x {file.Columns} pixels; 1 to "
            f"{MAX_PIXELS} are read"
        )
    return _shown(file, _first_frame(file))


def _first_frame(file: Any) -> np.ndarray:
    pixels = file.pixel_array
    return pixels[0] if int(getattr(file, "NumberOfFrames", None) or 1) > 1 else pixels


def _shown(file: Any, pixels: np.ndarray) -> np.ndarray:
    """What a viewer would show, `[h, w, 3]`."""
    try:
        from pydicom import pixels as by_pydicom
    except ImportError:  # pydicom 2, the last for Python 3.9
        from pydicom.pixel_data_handlers import util as by_pydicom

    if file.SamplesPerPixel > 1:
        if "YBR" in file.PhotometricInterpretation:
            pixels = by_pydicom.convert_color_space(
                pixels, file.PhotometricInterpretation, "RGB"
            )
        return as_rgb(to_uint8(pixels, 0, 2**file.BitsStored - 1))
    bits, signed = file.BitsStored, file.PixelRepresentation
    stored = np.array(
        [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] if signed else [0, 2**bits - 1]
    )
    values = by_pydicom.apply_modality_lut(pixels, file)
    ends = by_pydicom.apply_modality_lut(stored, file)
    if "WindowWidth" in file and file.WindowWidth:
        width = np.atleast_1d(file.WindowWidth)[0]
        centre = np.atleast_1d(file.WindowCenter)[0]
        ends = np.array([centre - width / 2, centre + width / 2])
    elif "VOILUTSequence" in file:
        values = by_pydicom.apply_voi_lut(values, file)
        ends = np.array([values.min(), values.max()])
    low, high = float(np.min(ends)), float(np.max(ends))
    shown = to_uint8(values, low, max(high, low + 1.0))
    if file.PhotometricInterpretation == "MONOCHROME1":
        shown = 255 - shown
    return as_rgb(shown)


DICOM = Format("DICOM", [[(128, b"DICM")]], _decode)
