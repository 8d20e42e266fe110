"""The size that an image file claims, read before anything is allocated for it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

# Pillow refuses pictures above the same limit: 512 MiB as RGB.
MAX_PIXELS = 178_956_970
_START = 32  # bytes of a file that hold the size in all formats but JPEG
_PNG_START = 4096  # bytes that hold what comes before the pixels of nearly every PNG
_JPEG = b"\xff\xd8\xff"


class _Header(NamedTuple):
    magic: bytes
    height: range  # the bytes that hold it, the lowest first
    width: range
    is_signed: bool = False


_OTHERS = (
    _Header(b"\x89PNG", range(23, 19, -1), range(19, 15, -1)),
    _Header(b"GIF8", range(8, 10), range(6, 8)),
    _Header(b"BM", range(22, 26), range(18, 22), is_signed=True),
)
_IS_SIGNED = np.array([[kind.is_signed] for kind in _OTHERS])
# `[kind, side, byte]`: what each byte counts for in a height or a width.
_WEIGHTS = np.zeros([len(_OTHERS), 2, _START], np.int64)
for _kind, _header in enumerate(_OTHERS):
    for _side, _places in enumerate((_header.height, _header.width)):
        _WEIGHTS[_kind, _side, _places] = 256 ** np.arange(len(_places))


def is_jpeg(contents: tf.Tensor) -> tf.Tensor:
    """Whether a file is a JPEG: a scalar bool."""
    return tf.strings.substr(contents, 0, len(_JPEG)) == _JPEG


def is_clear_png(contents: tf.Tensor) -> tf.Tensor:
    """Whether a file is a PNG that may have transparent pixels: a scalar bool."""
    start = tf.strings.substr(contents, 0, _PNG_START)
    kind = tf.strings.substr(tf.strings.join([start, b"\0" * _START]), 25, 1)
    # Alpha of their own have the colour types 4 and 6; others have it in a chunk tRNS.
    has_alpha = (kind == b"\4") | (kind == b"\6")
    has_chunk = tf.strings.regex_full_match(start, r"\C*tRNS\C*")  # \C: any byte
    is_png = tf.strings.substr(contents, 0, 4) == b"\x89PNG"
    return is_png & (has_alpha | has_chunk)


def is_deep_png(contents: tf.Tensor) -> tf.Tensor:
    """Whether a file is a PNG of 16 bits: a scalar bool."""
    start = tf.strings.substr(contents, 0, _START)
    is_png = tf.strings.substr(start, 0, 4) == b"\x89PNG"
    padded = tf.strings.join([start, b"\0" * _START])
    return is_png & (tf.strings.substr(padded, 24, 1) == b"\x10")


def claimed_size(contents: tf.Tensor) -> tf.Tensor:
    """Height and width that the header of a JPEG, PNG, GIF or BMP file claims.

    Args:
      contents: the file's bytes, a scalar string.

    Returns:
      int64 `[2]`, of a GIF those of the canvas; ones where the file is of no kind
      known here, which `decode` will say.
    """
    return tf.cond(
        is_jpeg(contents),
        lambda: tf.cast(tf.io.extract_jpeg_shape(contents)[:2], tf.int64),
        lambda: _size_of_others(contents),
    )


def _size_of_others(contents: tf.Tensor) -> tf.Tensor:
    start = tf.strings.join([tf.strings.substr(contents, 0, _START), b"\0" * _START])
    start = tf.strings.substr(start, 0, _START)
    numbers = tf.cast(tf.io.decode_raw(start, tf.uint8), tf.int64)
    sizes = tf.reduce_sum(_WEIGHTS * numbers, axis=-1)
    # A BMP of negative height is stored from the top.
    is_negative = _IS_SIGNED & (sizes >= 2**31)
    sizes = tf.where(is_negative, 2**32 - sizes, sizes)
    magics = [kind.magic for kind in _OTHERS]
    is_kind = [tf.strings.substr(start, 0, len(magic)) == magic for magic in magics]
    # What is of no kind comes last, and is always found.
    first = tf.argmax(tf.cast(tf.stack([*is_kind, True]), tf.int32))
    return tf.gather(tf.concat([sizes, tf.ones([1, 2], tf.int64)], axis=0), first)


def require_size(contents: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """The contents, once their claimed size is known to be sensible.

    Args:
      contents: a file's bytes, a scalar string.
      size: integers `[2]`, height and width that the file claims.

    Raises:
      tf.errors.InvalidArgumentError: when it runs, where the header claims no pixel,
        or more than `MAX_PIXELS`.
    """
    height, width = tf.unstack(tf.cast(size, tf.int64))
    # Each side by itself first: their product may not fit an int64.
    is_sensible = (
        (tf.minimum(height, width) > 0)
        & (tf.maximum(height, width) <= MAX_PIXELS)
        & (height * width <= MAX_PIXELS)
    )
    claim = tf.strings.join(
        [
            "the header claims ",
            tf.strings.as_string(height),
            " x ",
            tf.strings.as_string(width),
            f" pixels; 1 to {MAX_PIXELS} are read",
        ]
    )
    check = tf.debugging.Assert(is_sensible, [claim])
    # An eager assertion has already failed, and is no operation to wait for.
    with tf.control_dependencies([] if check is None else [check]):
        return tf.identity(contents)


def gif_pixels(contents: bytes) -> int:
    """Pixels of all frames of a GIF file, which its decoder holds at once.

    Args:
      contents: the file's bytes.

    Returns:
      The sum over the frames' headers; 0 for a file of another kind. A damaged file
      is counted as far as it can be followed.
    """
    if contents[:4] != b"GIF8":
        return 0
    pixels, at = 0, 13 + _table(contents[10:11])
    while at < len(contents):
        if contents[at : at + 1] == b",":
            frame = contents[at + 1 : at + 10]
            if len(frame) < 9:
                break
            width, height = frame[4] + 256 * frame[5], frame[6] + 256 * frame[7]
            pixels += width * height
            at += 11 + _table(frame[8:])
        elif contents[at : at + 1] == b"!":
            at += 2
        else:
            break
        while at < len(contents) and contents[at]:  # sub-blocks up to an empty one
            at += 1 + contents[at]
        at += 1
    return pixels


def _table(flags: bytes) -> int:
    """Bytes of the colour table that a byte of flags announces."""
    return 3 * 2 ** (1 + flags[0] % 8) if flags and flags[0] >= 128 else 0
