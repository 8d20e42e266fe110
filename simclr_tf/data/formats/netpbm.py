"""PBM, PGM and PPM, by Pillow; the largest value that the header states is white."""

from __future__ import annotations

import numpy as np

from simclr_tf.data.formats import pillow
from simclr_tf.data.formats.format import Format
from simclr_tf.data.formats.levels import as_rgb, to_uint8


def _decode(contents: bytes) -> np.ndarray:
    image = pillow.open_image(contents)
    if image.mode == "I":  # Pillow has spread the stated range over 16 bits.
        return as_rgb(to_uint8(np.asarray(image), 0, 65_535))
    return pillow.to_rgb(image)


_MAGICS = [
    [(0, b"P%d" % number + space)]
    for number in range(1, 7)
    for space in (b" ", b"\t", b"\r", b"\n")
]
NETPBM = Format("PPM", _MAGICS, _decode)
