"""Crops cut from the pixels of an image file, at its own resolution."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from simclr_tf.augmentation import resize_box, resize_crop
from simclr_tf.data.formats import ValueRange
from simclr_tf.data.image_files import decode
from simclr_tf.data.image_headers import is_jpeg, require_size
from simclr_tf.data.orientation import orientation

# Factors by which a JPEG's sides can be divided while it is decoded.
_RATIOS = (1, 2, 4, 8)
# A JPEG is reduced only where each pixel of a view still has so many each way: the
# result is then nearly that of the whole file.
_KEPT = 6
# Pixels decoded around the crops. The decoder interpolates colours between neighbours.
_MARGIN = 2

# From int32 `[2]`, height and width of a picture, to int32 `[V, 4]`: boxes
# `(y, x, h, w)` in its pixels.
Draw = Callable[[tf.Tensor], tf.Tensor]
# From an image, a box, height and width to the part in the box, of that size.
Resize = Callable[[tf.Tensor, tf.Tensor, int, int], tf.Tensor]


def crops_of_file(
    contents: tf.Tensor,
    draw: Draw,
    count: int,
    height: int,
    width: int,
    value_range: ValueRange | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Crops of the picture in a file, resized bicubically as the published code does.

    They are those that `augmentation.RandomResizedCrop` cuts from the decoded file,
    rounded to 8 bits. Of a JPEG that its EXIF does not turn only the part that holds
    them is decoded, and it is reduced while that is done where every crop has several
    times the pixels of a view.

    Args:
      contents: the file's bytes, a scalar string, of a kind that `decode` takes.
      draw: draws the boxes, once the size is known.
      count: boxes that it draws, V.
      height: rows of each crop.
      width: columns of each crop.
      value_range: see `decode`.

    Returns:
      uint8 `[V, height, width, 3]`, and int32 `[2]`, height and width in the file.

    Raises:
      tf.errors.InvalidArgumentError: see `decode`; of a JPEG that is damaged outside
        of what is decoded, nothing is noticed.
    """

    def cut(image: tf.Tensor, boxes: tf.Tensor, resize: Resize) -> tf.Tensor:
        crops = [resize(image, box, height, width) for box in tf.unstack(boxes, count)]
        rounded = tf.round(tf.stack(crops))
        return tf.cast(tf.clip_by_value(rounded, 0.0, 255.0), tf.uint8)

    def from_jpeg() -> tuple[tf.Tensor, tf.Tensor]:
        size = tf.io.extract_jpeg_shape(contents)[:2]
        checked = require_size(contents, size)
        image, boxes, ratio = _decode_part(checked, size, draw(size), height, width)
        crops = tf.cond(
            ratio == 1,
            lambda: cut(image, tf.cast(boxes, tf.int32), resize_crop),
            lambda: cut(image, boxes, resize_box),
        )
        return crops, size

    def from_others() -> tuple[tf.Tensor, tf.Tensor]:
        image = decode(contents, turn, value_range)
        size = tf.shape(image)[:2]
        return cut(image, draw(size), resize_crop), size

    # A file without its end is decoded whole, to notice it whatever the boxes are.
    end = tf.strings.substr(contents, -2, 2)
    turn = orientation(contents)
    in_part = is_jpeg(contents) & (end == b"\xff\xd9") & (turn == 1)
    return tf.cond(in_part, from_jpeg, from_others)


def _decode_part(
    contents: tf.Tensor, size: tf.Tensor, boxes: tf.Tensor, height: int, width: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The part of a JPEG that boxes need, the boxes in its pixels, and its ratio.

    The boxes are floating point: they may begin between the pixels of a reduced image.
    """
    least = tf.reduce_min(boxes[:, 2:], axis=0)
    # How many of the ratios leave enough pixels: a larger one leaves fewer.
    enough = [
        tf.reduce_all(least >= ratio * _KEPT * tf.constant([height, width]))
        for ratio in _RATIOS[1:]
    ]
    place = tf.math.count_nonzero(tf.stack(enough), dtype=tf.int32)
    ratio = tf.gather(tf.constant(_RATIOS), place)
    first = tf.reduce_min(boxes[:, :2], axis=0)
    last = tf.reduce_max(boxes[:, :2] + boxes[:, 2:], axis=0)
    first = tf.maximum(first // ratio - _MARGIN, 0)
    last = tf.minimum(-(-last // ratio) + _MARGIN, -(-size // ratio))
    window = tf.concat([first, last - first], axis=0)
    image = tf.switch_case(
        place,
        [
            lambda ratio=ratio: tf.io.decode_and_crop_jpeg(
                contents, window, channels=3, ratio=ratio
            )
            for ratio in _RATIOS
        ],
    )
    boxes = tf.cast(boxes, tf.float32) / tf.cast(ratio, tf.float32)
    begin = tf.cast(tf.concat([first, tf.zeros_like(first)], axis=0), tf.float32)
    return image, boxes - begin, ratio
