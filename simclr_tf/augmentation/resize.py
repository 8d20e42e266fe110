"""Bicubic crop-and-resize of a batch, as two matrix products.

`tf.image.resize` has no bicubic kernel under XLA and one box for the whole
batch; here each image has its own box, and everything compiles anywhere.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from simclr_tf.augmentation.loops import one_by_one

# The published code's resize op looks its cubic weights up in a table of 1,024
# steps; rounding the offset alike keeps us within float rounding of it.
_TABLE_STEPS = 1024.0
_A = -0.5  # Keys' cubic, as TensorFlow has it with half-pixel centres.


def _cubic(distance: tf.Tensor) -> tf.Tensor:
    """Keys' cubic convolution kernel at distances >= 0."""
    near = ((_A + 2.0) * distance - (_A + 3.0)) * distance * distance + 1.0
    far = ((_A * distance - 5.0 * _A) * distance + 8.0 * _A) * distance - 4.0 * _A
    zero = tf.zeros_like(distance)
    return tf.where(distance < 1.0, near, tf.where(distance < 2.0, far, zero))


def bicubic_weights(
    start: tf.Tensor,
    length: tf.Tensor,
    in_size: int | tf.Tensor,
    out_size: int,
    dtype: tf.DType = tf.float32,
    *,
    antialias: bool = False,
) -> tf.Tensor:
    """Weights that resize one axis of a crop.

    Args:
      start: int32 `[B]`, first pixel of the crop.
      length: int32 `[B]`, pixels of the crop, >= 1; it lies within the image.
      in_size: pixels of the image along this axis.
      out_size: pixels of the result.
      dtype: a floating dtype of the result.
      antialias: widen the kernel by as much as the crop shrinks, so that each pixel
        of the crop counts.

    Returns:
      `[B, out_size, in_size]`; rows sum to 1 and are zero outside the crop.
    """
    start = tf.cast(start, dtype)[:, None]
    length = tf.cast(length, dtype)[:, None]
    position = _positions(length, out_size)
    if not antialias:
        position = tf.add(*_on_table(position))
    position = (position + start)[:, :, None]
    pixel = tf.range(in_size, dtype=dtype)[None, None, :]
    first, last = start[:, :, None], (start + length - 1.0)[:, :, None]
    inside = tf.logical_and(pixel >= first, pixel <= last)
    distance = tf.abs(pixel - position)
    if antialias:
        distance /= tf.maximum(length / float(out_size), 1.0)[:, :, None]
    weights = _cubic(distance) * tf.cast(inside, dtype)
    return weights / tf.reduce_sum(weights, axis=2, keepdims=True)


def _positions(length: tf.Tensor, out_size: int) -> tf.Tensor:
    """Where pixels of results lie in crops of `[B, 1]` pixels: `[B, out_size]`."""
    centre = tf.range(out_size, dtype=length.dtype)[None, :] + 0.5
    return centre * (length / float(out_size)) - 0.5


def _on_table(position: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """A position's whole pixels and the rest, rounded to a step of the table."""
    whole = tf.floor(position)
    return whole, tf.round((position - whole) * _TABLE_STEPS) / _TABLE_STEPS


def crop_and_resize(
    images: tf.Tensor,
    boxes: tf.Tensor,
    height: int,
    width: int,
    *,
    antialias: bool = False,
) -> tf.Tensor:
    """Crops each image to its box and resizes the crop bicubically.

    Equal to `tf.image.resize(crop, method="bicubic", antialias=antialias)` of each
    image within rounding; the published code has no antialiasing. Results may
    leave [0, 1] a little, as cubic interpolation does.

    Args:
      images: floating point `[B, H, W, C]`.
      boxes: int32 `[B, 4]`, rows `(y, x, h, w)` in pixels, inside the image.
      height: rows of the result.
      width: columns of the result.
      antialias: whether each pixel of a crop counts, however much it shrinks.

    Returns:
      `[B, height, width, C]` in the images' dtype.
    """
    shape = tf.shape(images)
    in_height = images.shape[1] or shape[1]
    in_width = images.shape[2] or shape[2]
    channels = images.shape[3] or shape[3]
    y, x, h, w = tf.unstack(boxes, axis=1)
    rows = bicubic_weights(y, h, in_height, height, images.dtype, antialias=antialias)
    columns = bicubic_weights(x, w, in_width, width, images.dtype, antialias=antialias)
    # Rows first, then columns with (row, channel) as one long axis: both
    # products stay large, where a product per pixel row would be 3 wide.
    image_rows = tf.reshape(images, [-1, in_height, in_width * channels])
    resized = tf.matmul(rows, image_rows)
    resized = tf.reshape(resized, [-1, height, in_width, channels])
    resized = tf.transpose(resized, [0, 2, 1, 3])
    resized = tf.reshape(resized, [-1, in_width, height * channels])
    resized = tf.matmul(columns, resized)
    resized = tf.reshape(resized, [-1, width, height, channels])
    return tf.transpose(resized, [0, 2, 1, 3])


class CropTaps(NamedTuple):
    """The four nonzero weights of each pixel of the result, without antialiasing.

    `rows` and `columns` are indices of pixels inside the crop, int32
    `[B, 4, out_size]`; the weights have the same shape.
    """

    rows: tf.Tensor
    row_weights: tf.Tensor
    columns: tf.Tensor
    column_weights: tf.Tensor


def crop_taps(
    boxes: tf.Tensor,
    flip: tf.Tensor,
    height: int,
    width: int,
    dtype: tf.DType = tf.float32,
    *,
    scale: float = 1.0,
) -> CropTaps:
    """Which pixels make each row and column of crops, and with what weights.

    Args:
      boxes: int32 `[B, 4]`, rows `(y, x, h, w)` in pixels.
      flip: bool `[B]`, whether the result's columns run from right to left.
      height: rows of the results.
      width: columns of the results.
      dtype: a floating dtype of the weights.
      scale: what the result's values are multiplied by.
    """
    y, x, h, w = tf.unstack(boxes, axis=1)
    columns = [
        tf.where(flip[:, None, None], tf.reverse(each, axis=[2]), each)
        for each in _taps(x, w, width, dtype)
    ]
    rows, row_weights = _taps(y, h, height, dtype)
    return CropTaps(rows, scale * row_weights, *columns)


def _taps(
    start: tf.Tensor, length: tf.Tensor, out_size: int, dtype: tf.DType
) -> tuple[tf.Tensor, tf.Tensor]:
    length = tf.cast(length, dtype)[:, None]
    whole, offset = _on_table(_positions(length, out_size))
    neighbour = tf.constant([[-1.0], [0.0], [1.0], [2.0]], dtype)
    pixel = whole[:, None] + neighbour
    inside = tf.cast((pixel >= 0.0) & (pixel < length[:, None]), dtype)
    weights = _cubic(tf.abs(neighbour - offset[:, None])) * inside
    weights /= tf.reduce_sum(weights, axis=1, keepdims=True)
    pixel = tf.clip_by_value(pixel, 0.0, length[:, None] - 1.0)
    return tf.cast(pixel, tf.int32) + start[:, None, None], weights


def crop_and_resize_one(image: tf.Tensor, taps: CropTaps) -> tf.Tensor:
    """`crop_and_resize` of one image, without multiplying by zeros.

    A row of the result is a weighted sum of four rows, and a column one of four
    columns. The image is transposed between the two, so that both are sums of rows,
    for which any CPU has vector instructions.

    Args:
      image: `[H, W, C]` of static shape and any dtype.
      taps: of one crop, each `[4, out_size]`; no results of the computation that
        calls this, lest XLA compute them anew for every pixel.

    Returns:
      `[width, C, height]` in the weights' dtype: the channels as planes of each
      column.
    """
    in_height, in_width, channels = image.shape
    height, width = taps.rows.shape[1], taps.columns.shape[1]
    rows = tf.reshape(image, [in_height, in_width * channels])
    rows = _mix_rows(rows, taps.rows, taps.row_weights)
    columns = tf.reshape(tf.transpose(rows), [in_width, channels * height])
    columns = _mix_rows(columns, taps.columns, taps.column_weights)
    return tf.reshape(columns, [width, channels, height])


def _mix_rows(rows: tf.Tensor, pixels: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Weighted sums `[out_size, n]` of four rows each of `[size, n]`."""

    def mixed(place: tf.Tensor) -> tf.Tensor:
        taps, shares = (
            tf.slice(each, [0, place], [4, 1])[:, 0] for each in (pixels, weights)
        )
        # A gather, because XLA takes the beginning of a slice for a constant and
        # would compile again for every crop.
        parts = [
            shares[tap] * tf.cast(tf.gather(rows, taps[tap]), weights.dtype)
            for tap in range(4)
        ]
        return tf.add_n(parts)

    return one_by_one(mixed, pixels.shape[1], [rows.shape[1]], weights.dtype)


def scale_boxes(boxes: tf.Tensor, sizes: tf.Tensor, canvas: tf.Tensor) -> tf.Tensor:
    """Boxes on originals to boxes on canvases that hold them.

    An original lies in the first rows and columns of its canvas, shrunk along each
    side that is longer than the canvas.

    Args:
      boxes: int32 `[B, 4]`, `(y, x, h, w)` in pixels of the original.
      sizes: int32 `[B, 2]`, originals' heights and widths.
      canvas: int32 `[B, 2]`, canvases' heights and widths.

    Returns:
      int32 `[B, 4]`, at least one pixel each way; the same boxes where the
      sizes are the same.
    """
    canvas = tf.minimum(sizes, canvas)
    ratio = tf.cast(canvas, tf.float32) / tf.cast(sizes, tf.float32)
    begin = tf.cast(boxes[:, :2], tf.float32) * ratio
    end = tf.cast(boxes[:, :2] + boxes[:, 2:], tf.float32) * ratio
    begin = tf.minimum(tf.cast(tf.round(begin), tf.int32), canvas - 1)
    extent = tf.maximum(tf.cast(tf.round(end), tf.int32) - begin, 1)
    return tf.concat([begin, tf.minimum(extent, canvas - begin)], axis=1)
