"""Image files: which there are, and reading one inside the graph."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from simclr_tf.data.elsewhere import is_made_elsewhere
from simclr_tf.data.formats import FORMATS, HEAD, ValueRange, decode_file
from simclr_tf.data.formats.levels import out_of_range
from simclr_tf.data.image_headers import (
    claimed_size,
    is_clear_png,
    is_deep_png,
    is_jpeg,
    require_size,
)
from simclr_tf.data.orientation import orientation, turned

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


def decode(
    contents: tf.Tensor,
    turn: tf.Tensor | None = None,
    value_range: ValueRange | None = None,
) -> tf.Tensor:
    """An image file of any format in `formats`, by its content, as RGB.

    What TensorFlow does not decode is decoded by Python, on the host. See
    `decode_in_graph` for the formats of TensorFlow's, and `formats` for the others.

    Args:
      contents: the file's bytes, a scalar string.
      turn: its `orientation`, where that is known.
      value_range: the values of black and white in files of more than 8 bits that need
        not say them: PNG and TIFF.

    Returns:
      uint8 `[h, w, 3]`.

    Raises:
      tf.errors.OpError: when it runs, where the file is damaged, of another kind,
        claims more pixels than `image_headers.MAX_PIXELS`, or has values out of the
        range.
    """
    turn = orientation(contents) if turn is None else turn
    if tf.executing_eagerly():
        return _decode(contents, turn, value_range)
    return _traced_decode(is_made_elsewhere(), value_range)(contents, turn)


def _decode(
    contents: tf.Tensor, turn: tf.Tensor, value_range: ValueRange | None
) -> tf.Tensor:
    image = tf.cond(
        _is_foreign(contents),
        lambda: _decode_by_python(contents, value_range),
        lambda: decode_in_graph(contents, turn, value_range),
    )
    return tf.ensure_shape(image, [None, None, 3])


@functools.cache
def _traced_decode(
    elsewhere: bool, value_range: ValueRange | None
) -> Callable[..., Any]:
    """`_decode` as one function of all pipelines: tracing it takes most of a second."""
    del elsewhere  # What it was traced for: the cache tells both apart.
    signature = [tf.TensorSpec([], tf.string), tf.TensorSpec([], tf.int32)]
    function = functools.partial(_decode, value_range=value_range)
    return tf.function(function, input_signature=signature, autograph=False)


def decode_in_graph(
    contents: tf.Tensor,
    turn: tf.Tensor | None = None,
    value_range: ValueRange | None = None,
) -> tf.Tensor:
    """A JPEG, PNG, BMP or GIF file as RGB, by TensorFlow alone.

    Greyscale becomes three equal channels, 16 bits are cut to 8, CMYK is converted. A
    JPEG is turned as its EXIF asks for; transparency of a PNG lets white through; of a
    GIF the first frame is taken, black where it is transparent.

    Args:
      contents: the file's bytes, a scalar string.
      turn: its `orientation`, where that is known.
      value_range: the values of black and white in PNG files of 16 bits: they are
        spread over 0 to 255, and not cut.

    Returns:
      uint8 `[h, w, 3]`.

    Raises:
      tf.errors.InvalidArgumentError: when it runs, where the file is damaged, of
        another kind, claims more pixels than `image_headers.MAX_PIXELS`, or has values
        out of the range.
    """
    turn = orientation(contents) if turn is None else turn
    image = turned(_decode_stored(contents, value_range), turn)
    return tf.ensure_shape(image, [None, None, 3])


def _decode_stored(
    contents: tf.Tensor, value_range: ValueRange | None = None
) -> tf.Tensor:
    """As `decode_in_graph`, as the pixels are stored."""
    contents = require_size(contents, claimed_size(contents))
    deep = []
    if value_range is not None:
        spread = functools.partial(_decode_deep_png, contents, value_range)
        deep = [(is_deep_png(contents), spread)]
    # decode_image wants the number of channels that a BMP has.
    return tf.case(
        [
            (tf.strings.substr(contents, 0, 2) == b"BM", lambda: _decode_bmp(contents)),
            *deep,
            (is_clear_png(contents), lambda: _over_white(contents)),
        ],
        default=lambda: tf.io.decode_image(
            contents, channels=3, expand_animations=False
        ),
        exclusive=False,
    )


def _is_foreign(contents: tf.Tensor) -> tf.Tensor:
    """Whether a file is of a format that TensorFlow does not decode: a scalar bool."""
    head = tf.strings.join([tf.strings.substr(contents, 0, HEAD), b"\0" * HEAD])

    def is_one_of(at: int, length: int, texts: list[bytes]) -> tf.Tensor:
        return tf.reduce_any(tf.strings.substr(head, at, length) == tf.constant(texts))

    # Magics of one place and length are compared at once.
    alike: dict[tuple, list[tuple[bytes, ...]]] = {}
    for each in FORMATS:
        for magic in each.magics if each.decode is not None else ():
            key = tuple((at, len(text)) for at, text in magic)
            alike.setdefault(key, []).append(tuple(text for _, text in magic))
    found = []
    for places, texts in alike.items():
        parts = [
            is_one_of(at, length, list(choices))
            for (at, length), choices in zip(places, zip(*texts))
        ]
        found.append(tf.reduce_all(parts))
    return tf.reduce_any(tf.stack(found))


def _decode_by_python(contents: tf.Tensor, value_range: ValueRange | None) -> tf.Tensor:
    if is_made_elsewhere():
        # The workers of a tf.data service cannot call this process.
        complaint = (
            "a tf.data service reads JPEG, PNG, BMP and GIF alone: write the images "
            "with simclr prepare and name those"
        )
        check = tf.debugging.Assert(False, [complaint])
        with tf.control_dependencies([check]):
            return tf.zeros([1, 1, 3], tf.uint8)

    def decoded(closed: bytes | np.ndarray) -> np.ndarray:
        if not isinstance(closed, bytes):  # Outside of a graph, it is an array.
            closed = closed.item()
        return decode_file(closed[:-1], value_range)

    # NumPy takes zeros at the end of bytes away.
    closed = tf.strings.join([contents, b"."])
    image = tf.numpy_function(decoded, [closed], tf.uint8)
    return tf.ensure_shape(image, [None, None, 3])


def _over_white(contents: tf.Tensor) -> tf.Tensor:
    """A PNG whose transparent pixels let white through."""
    image = tf.cast(tf.io.decode_png(contents, channels=4), tf.int32)
    colour, opacity = image[..., :3], image[..., 3:]
    mixed = colour * opacity + 255 * (255 - opacity)
    return tf.cast((mixed + 127) // 255, tf.uint8)


def _decode_deep_png(contents: tf.Tensor, value_range: ValueRange) -> tf.Tensor:
    """A PNG of 16 bits as 8, from a stated range; over white where transparent."""
    image = tf.io.decode_png(contents, channels=4, dtype=tf.uint16)
    image = tf.cast(image, tf.float32)
    black, white = value_range
    opacity = image[..., 3:] / 65_535
    # Colours that nobody sees may be any.
    colour = tf.where(opacity > 0, image[..., :3], black)
    inside = tf.reduce_all((colour >= black) & (colour <= white))
    lowest, highest = tf.reduce_min(colour), tf.reduce_max(colour)
    found = tf.strings.as_string(tf.cast([lowest, highest], tf.int32))
    told = tf.strings.join([out_of_range(value_range), found[0], " to ", found[1]])
    check = tf.debugging.Assert(inside, [told])
    with tf.control_dependencies([] if check is None else [check]):
        shown = tf.round((colour - black) * (255.0 / (white - black)))
    return tf.cast(tf.round(shown * opacity + 255.0 * (1.0 - opacity)), tf.uint8)


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


def to_canvas(
    contents: tf.Tensor, canvas: int, value_range: ValueRange | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """The image of a file in the first rows and columns of a square.

    A side longer than the canvas is shrunk to it, whatever the other is, each pixel
    the mean of those it covers; a shorter one keeps its pixels, and the rest of the
    canvas is black. Of a large JPEG no more pixels are decoded than that takes: the
    decoder takes means of blocks first.

    Args:
      contents: the file's bytes, a scalar string, of a kind that `decode` takes.
      canvas: side of the square, in pixels.
      value_range: see `decode`.

    Returns:
      uint8 `[canvas, canvas, 3]`, and int32 `[2]`, height and width in the file.

    Raises:
      tf.errors.InvalidArgumentError: see `decode`.
    """
    if tf.executing_eagerly():
        return _to_canvas(contents, canvas, value_range)
    return _traced_to_canvas(canvas, value_range, is_made_elsewhere())(contents)


def _to_canvas(
    contents: tf.Tensor, canvas: int, value_range: ValueRange | None
) -> tuple[tf.Tensor, tf.Tensor]:
    image, size = decode_for_canvas(contents, canvas, value_range)
    kept = tf.minimum(size, canvas)
    image = tf.cond(
        tf.reduce_all(tf.shape(image)[:2] == kept),
        lambda: image,
        lambda: _shrink(image, kept),
    )
    image = tf.image.pad_to_bounding_box(image, 0, 0, canvas, canvas)
    return tf.ensure_shape(image, [canvas, canvas, 3]), size


@functools.cache
def _traced_to_canvas(
    canvas: int, value_range: ValueRange | None, elsewhere: bool
) -> Callable[..., Any]:
    """`_to_canvas` as one function of all pipelines; see `_traced_decode`."""
    del elsewhere
    return tf.function(
        functools.partial(_to_canvas, canvas=canvas, value_range=value_range),
        input_signature=[tf.TensorSpec([], tf.string)],
        autograph=False,
    )


def decode_for_canvas(
    contents: tf.Tensor, canvas: int, value_range: ValueRange | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """The image that `to_canvas` shrinks: a JPEG may have fewer pixels than its file.

    Args:
      contents: the file's bytes, a scalar string, of a kind that `decode` takes.
      canvas: side of the square, in pixels.
      value_range: see `decode`.

    Returns:
      uint8 `[h, w, 3]`, and int32 `[2]`, height and width in the file.

    Raises:
      tf.errors.InvalidArgumentError: see `decode`.
    """
    return tf.cond(
        is_jpeg(contents),
        lambda: _decode_jpeg(contents, canvas),
        lambda: _decode_whole(contents, value_range),
    )


def _decode_whole(
    contents: tf.Tensor, value_range: ValueRange | None
) -> tuple[tf.Tensor, tf.Tensor]:
    """What is no JPEG, and its size."""
    image = tf.cond(
        _is_foreign(contents),
        lambda: _decode_by_python(contents, value_range),
        lambda: _decode_stored(contents, value_range),
    )
    return image, tf.shape(image)[:2]


def _decode_jpeg(contents: tf.Tensor, canvas: int) -> tuple[tf.Tensor, tf.Tensor]:
    """An image no smaller than it is on the canvas, and the size of the whole."""
    size = tf.io.extract_jpeg_shape(contents)[:2]
    contents = require_size(contents, size)
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
    turn = orientation(contents)
    size = tf.where(turn > 4, size[::-1], size)
    return turned(image, turn), size


def _shrink(image: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    image = tf.image.resize(image, size, "area")
    return tf.cast(tf.clip_by_value(tf.round(image), 0.0, 255.0), tf.uint8)
