"""Image files: which there are, and reading one inside the graph."""

from __future__ import annotations

import tensorflow as tf

from simclr_tf.data.image_headers import is_jpeg, require_size

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".gif")

# The canvas that crops are cut from is 1.5 times as wide as the views, so that a crop
# of 4/9 of its area still has one pixel for each pixel of the view.
_CANVAS_RATIO = 1.5
_DEFAULT_SIDE = 224
# Factors by which a JPEG's sides can be divided while it is decoded.
_JPEG_RATIOS = (1, 2, 4, 8)


def canvas_size(image_size: int | None) -> int:
    """Side of the square that images of many sizes are put on, in pixels."""
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

    Raises:
      tf.errors.InvalidArgumentError: when it runs, where the file is damaged, of
        another kind, or claims more pixels than `image_headers.MAX_PIXELS`.
    """
    contents = require_size(contents)
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
    """RGB `[n, 3]` of the pixel values 0 to n - 1, which decode_bmp leaves out."""
    offsets = tf.io.decode_raw(tf.strings.substr(contents, 10, 8), tf.int32)
    first = 14 + offsets[1]  # after the file's header and the second one
    entries = tf.strings.substr(contents, first, offsets[0] - first)
    blue_green_red = tf.reshape(tf.io.decode_raw(entries, tf.uint8), [-1, 4])
    return blue_green_red[:, 2::-1]


def to_canvas(contents: tf.Tensor, canvas: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The image of a file in the first rows and columns of a square.

    A side longer than the canvas is shrunk to it, whatever the other is, each pixel
    the mean of those it covers; a shorter one keeps its pixels, and the rest of the
    canvas is black. Of a large JPEG no more pixels are decoded than that takes: the
    decoder takes means of blocks first.

    Args:
      contents: the file's bytes, a scalar string, of a kind that `decode` takes.
      canvas: side of the square, in pixels.

    Returns:
      uint8 `[canvas, canvas, 3]`, and int32 `[2]`, height and width in the file.

    Raises:
      tf.errors.InvalidArgumentError: see `decode`.
    """
    image, size = decode_for_canvas(contents, canvas)
    kept = tf.minimum(size, canvas)
    image = tf.cond(
        tf.reduce_all(tf.shape(image)[:2] == kept),
        lambda: image,
        lambda: _shrink(image, kept),
    )
    image = tf.image.pad_to_bounding_box(image, 0, 0, canvas, canvas)
    return tf.ensure_shape(image, [canvas, canvas, 3]), size


def decode_for_canvas(contents: tf.Tensor, canvas: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The image that `to_canvas` shrinks: a JPEG may have fewer pixels than its file.

    Args:
      contents: the file's bytes, a scalar string, of a kind that `decode` takes.
      canvas: side of the square, in pixels.

    Returns:
      uint8 `[h, w, 3]`, and int32 `[2]`, height and width in the file.

    Raises:
      tf.errors.InvalidArgumentError: see `decode`.
    """
    return tf.cond(
        is_jpeg(contents),
        lambda: _decode_jpeg(contents, canvas),
        lambda: _decode_whole(contents),
    )


def _decode_whole(contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    image = decode(contents)
    return image, tf.shape(image)[:2]


def _decode_jpeg(contents: tf.Tensor, canvas: int) -> tuple[tf.Tensor, tf.Tensor]:
    """An image no smaller than it is on the canvas, and the size of the whole."""
    contents = require_size(contents)
    size = tf.io.extract_jpeg_shape(contents)[:2]
    # How many of the ratios leave enough pixels: a larger one leaves fewer.
    enough = [
        tf.reduce_all(-(-size // ratio) >= tf.minimum(size, canvas))
        for ratio in _JPEG_RATIOS[1:]
    ]
    image = tf.switch_case(
        tf.math.count_nonzero(tf.stack(enough), dtype=tf.int32),
        [
            lambda ratio=ratio: tf.io.decode_jpeg(contents, channels=3, ratio=ratio)
            for ratio in _JPEG_RATIOS
        ],
    )
    return image, size


def _shrink(image: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    image = tf.image.resize(image, size, "area")
    return tf.cast(tf.clip_by_value(tf.round(image), 0.0, 255.0), tf.uint8)
