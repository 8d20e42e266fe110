"""Images of a dataset as squares of one size, for all parts to measure with."""

from __future__ import annotations

import tensorflow as tf

from simclr_tf.augmentation import evaluation_view
from simclr_tf.data import Source, sample

_DIFFERENT = 64


def photos(source: Source, count: int, side: int) -> tf.Tensor:
    """Centre squares of images, uint8 `[count, side, side, 3]`.

    At most 64 images are read. They repeat where `count` is greater than that, or than
    the number of images in the source.
    """
    batch = sample(source, min(count, _DIFFERENT))
    squares = evaluation_view(
        batch["image"], side, sizes=batch.get("size"), crop_proportion=1.0
    )
    squares = tf.cast(tf.round(255.0 * squares), tf.uint8)
    return tf.gather(squares, tf.range(count) % tf.shape(squares)[0])
