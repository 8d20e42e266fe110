"""Which images are the same to the pixel."""

from __future__ import annotations

import hashlib

import numpy as np
import tensorflow as tf

from simclr_tf.data import Source, Subset, data_errors
from simclr_tf.data.image_files import decode
from simclr_tf.data.source import Asked

_BATCH = 16


def pixel_digests(source: Source, places: np.ndarray) -> list[str]:
    """A digest of the pixels of each of some images, at their own size.

    Files of different formats that hold the same pixels have the same digest.

    Args:
      source: the images.
      places: integers `[n]`, of images that can be read.

    Returns:
      `n` digests; images are the same to the pixel where theirs are.

    Raises:
      DataError: where an image cannot be read.
    """
    part = Subset(source, np.asarray(places), source.split)
    indices = tf.data.Dataset.range(len(part)).batch(_BATCH)
    digests: list[str] = []
    with data_errors(source):
        if source.holds_files:

            def whole(contents: tf.Tensor, _: Asked) -> dict[str, tf.Tensor]:
                image = decode(contents, value_range=source.value_range)
                return {"pixels": tf.io.serialize_tensor(image)}

            asked = indices.map(lambda index: {"index": index})
            for batch in part.read_files(asked, whole):
                digests += [_digest(pixels) for pixels in batch["pixels"].numpy()]
        else:
            for batch in part.read(indices):
                digests += [
                    _digest(image.tobytes()) for image in batch["image"].numpy()
                ]
    return digests


def _digest(contents: bytes) -> str:
    return hashlib.sha256(contents).hexdigest()
