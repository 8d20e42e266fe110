"""WebP, by Pillow; of an animation the first frame."""

from __future__ import annotations

from simclr_tf.data.formats import pillow
from simclr_tf.data.formats.format import Format

WEBP = Format("WebP", [[(0, b"RIFF"), (8, b"WEBP")]], pillow.decode)
