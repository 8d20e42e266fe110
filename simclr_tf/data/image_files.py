"""Image files: which there are, and reading one inside the graph."""

from __future__ import annotations

import tensorflow as tf

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".gif")

# Crops are taken from a canvas half again as wide as the views: enough that a
# crop of 4/9 of the area still has a pixel for each of the view's.
_CANVAS_RATIO = 1.5
_DEFAULT_SIDE = 224


def canvas_size(image_size: int | None) -> int:
    """Side of the square that images of many sizes are stretched to, in pixels."""
    return round(_CANVAS_RATIO * (image_size or _DEFAULT_SIDE))


def decode(contents: tf.Tensor) -> tf.Tensor:
    """A JPEG, PNG, BMP or GIF file as RGB.

    Greyscale becomes three equal channels, transparency is dropped, 16 bits are
    cut to 8, CMYK is converted, and of a GIF the first frame is taken, black where
    it is transparent. A rotation that EXIF asks for is not carried out.

    Args:
      contents: the file's bytes, a scalar string.

    Returns:
      uint8 `[h, w, 3]`.
    """
    is_bmp = tf.strings.substr(contents, 0, 2) == b"BM"
    # decode_image wants the number of channels that a BMP has.
    image = tf.cond(
        is_bmp,
        lambda: _decode_bmp(contents),
        lambda: tf.io.decode_image(contents, channels=3, expand_animations=False),
    )
    return tf.ensure_shape(image, [None, None, 3])


def _decode_bmp(contents: tf.Tensor) -> tf.Tensor:
    image = tf.io.decode_bmp(contents)
    return tf.cond(
        tf.shape(image)[2] < 3,
        lambda: tf.gather(_bmp_palette(contents), tf.cast(image[:, :, 0], tf.int32)),
        lambda: image[:, :, :3],
    )


def _bmp_palette(contents: tf.Tensor) -> tf.Tensor:
    """RGB `[n, 3]` of the pixel values 0 to n - 1, which decode_bmp passes over."""
    offsets = tf.io.decode_raw(tf.strings.substr(contents, 10, 8), tf.int32)
    first = 14 + offsets[1]  # after the file's header and the second one
    entries = tf.strings.substr(contents, first, offsets[0] - first)
    blue_green_red = tf.reshape(tf.io.decode_raw(entries, tf.uint8), [-1, 4])
    return blue_green_red[:, 2::-1]


def to_canvas(image: tf.Tensor, canvas: int) -> tuple[tf.Tensor, tf.Tensor]:
    """An image stretched to a square, once, whatever its proportions.

    Args:
      image: uint8 `[h, w, 3]`.
      canvas: side of the square, in pixels.

    Returns:
      uint8 `[canvas, canvas, 3]`, antialiased, and int32 `[2]`, the image's height
      and width, which keep its proportions known.
    """
    stretched = tf.image.resize(image, [canvas, canvas], antialias=True)
    stretched = tf.cast(tf.clip_by_value(tf.round(stretched), 0.0, 255.0), tf.uint8)
    return tf.ensure_shape(stretched, [canvas, canvas, 3]), tf.shape(image)[:2]
