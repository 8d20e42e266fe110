"""The evaluation view of images whose size is known beforehand.

Which pixels make which is then known too: a crop, or two constant matrices.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from simclr_tf.augmentation.center_crop import centre_boxes
from simclr_tf.augmentation.resize import bicubic_weights
from simclr_tf.image_size import ImageSize, height_and_width, parse_image_size

Cropping = tuple[tuple[int, int], tuple[int, int]]


class FixedView(NamedTuple):
    """Weights of an image's rows and columns in those of its view.

    Attributes:
      rows: float32 `[h, H]`.
      columns: float32 `[w, W]`.
      cropping: pixels left out at (top, bottom) and (left, right), where the view is a
        crop and nothing is resized; else None.
    """

    rows: np.ndarray
    columns: np.ndarray
    cropping: Cropping | None

    def apply(self, images: tf.Tensor) -> tf.Tensor:
        """The views `[B, h, w, C]` of images `[B, H, W, C]`, floating point."""
        if self.cropping is not None:
            (top, bottom), (left, right) = self.cropping
            height, width = self.rows.shape[1], self.columns.shape[1]
            return images[:, top : height - bottom, left : width - right]
        resized = tf.einsum("bhwc,ih->biwc", images, self.rows)
        resized = tf.einsum("biwc,jw->bijc", resized, self.columns)
        return tf.clip_by_value(resized, 0.0, 1.0)


def fixed_view(input_size: ImageSize, image_size: ImageSize) -> FixedView:
    """The `evaluation_view` of `image_size` that images of `input_size` have."""
    sides, height_width = height_and_width(input_size), height_and_width(image_size)
    box = centre_boxes(tf.constant([sides]), image_size)
    y, x, h, w = tf.unstack(box, axis=1)
    rows, columns = (
        bicubic_weights(start, length, side, out, antialias=True)[0].numpy()
        for start, length, side, out in zip((y, x), (h, w), sides, height_width)
    )
    cropping = None
    if tuple(box[0, 2:].numpy()) == height_width:
        ends = [
            (int(start), int(side - start - out))
            for start, side, out in zip(box[0, :2].numpy(), sides, height_width)
        ]
        cropping = (ends[0], ends[1])
    return FixedView(rows, columns, cropping)


def cropped_size(image_size: ImageSize) -> ImageSize:
    """The smallest size of images of which the evaluation view is a crop.

    224 px are the centre of 256: the usual way to prepare an image, its shorter side
    resized and the centre cut out. Where there is no such size, the view's own.
    """
    height, width = height_and_width(image_size)
    for taller in range(height, 2 * height):
        size = parse_image_size((taller, round(taller * width / height)))
        if fixed_view(size, image_size).cropping is not None:
            return size
    return image_size
