"""How a photograph is to be turned, as its EXIF says."""

from __future__ import annotations

import tensorflow as tf

_WINDOW = 4096  # bytes of a file in which its orientation is looked for
_ENTRY = 12  # bytes of an entry of EXIF
_TAG = 0x0112


def orientation(contents: tf.Tensor) -> tf.Tensor:
    """EXIF's orientation of a JPEG file, 1 to 8.

    Args:
      contents: the file's bytes, a scalar string.

    Returns:
      A scalar int32; 1, as it is stored, for files that do not say.
    """
    start = tf.strings.join([tf.strings.substr(contents, 0, _WINDOW), b"\0" * 32])
    is_jpeg = tf.strings.substr(start, 0, 3) == b"\xff\xd8\xff"
    # EXIF comes first, or after the segment of JFIF.
    second = 2 * tf.ones([], tf.int32)
    after_jfif = 4 + _number(_bytes(start, 4, 2))
    after_jfif = tf.minimum(after_jfif, tf.strings.length(start) - 16)
    is_jfif = tf.strings.substr(start, 2, 2) == b"\xff\xe0"
    at = tf.where(is_jfif, after_jfif, second)
    has_exif = tf.strings.substr(start, at, 2) == b"\xff\xe1"
    has_exif &= tf.strings.substr(start, at + 4, 6) == b"Exif\0\0"
    return tf.cond(
        is_jpeg & has_exif, lambda: _in_exif(start, at + 10), lambda: tf.constant(1)
    )


def turned(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """An image as it is to be seen.

    Args:
      image: `[h, w, C]`, as it is stored.
      orientation: scalar int32, of `orientation`.

    Returns:
      `[h, w, C]`, or `[w, h, C]` for the orientations from 5 on.
    """

    def turn() -> tf.Tensor:
        height, width, channels = tf.unstack(tf.shape(image))
        swapped = orientation > 4
        rows = tf.range(tf.where(swapped, width, height))
        columns = tf.range(tf.where(swapped, height, width))
        rows = tf.where(_is_in(orientation, (3, 4, 7, 8)), rows[::-1], rows)[:, None]
        columns = tf.where(_is_in(orientation, (2, 3, 6, 7)), columns[::-1], columns)
        places = tf.where(swapped, columns * width + rows, rows * width + columns)
        return tf.gather(tf.reshape(image, [-1, channels]), places)

    return tf.cond(orientation == 1, lambda: image, turn)


def _in_exif(start: tf.Tensor, first: tf.Tensor) -> tf.Tensor:
    """The orientation in the first directory of EXIF that begins at a byte."""
    length = tf.strings.length(start)
    big = tf.strings.substr(start, first, 2) == b"MM"
    directory = first + _number(_bytes(start, first + 4, 4), big)
    directory = tf.clip_by_value(directory, 0, length - 2)
    fitting = (length - directory - 2) // _ENTRY
    count = tf.minimum(_number(_bytes(start, directory, 2), big), fitting)
    entries = _bytes(start, directory + 2, count * _ENTRY)
    entries = tf.reshape(entries, [-1, _ENTRY])
    is_turn = _number(entries[:, :2], big) == _TAG
    value = tf.reduce_sum(tf.where(is_turn, _number(entries[:, 8:10], big), 0))
    return tf.where((value >= 1) & (value <= 8), value, 1)


def _bytes(text: tf.Tensor, first: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    part = tf.strings.substr(text, first, count)
    return tf.cast(tf.io.decode_raw(part, tf.uint8), tf.int32)


def _number(digits: tf.Tensor, big_endian: tf.Tensor | bool = True) -> tf.Tensor:
    """Bytes `[..., n]` as numbers; of four bytes those above 2^24 do not matter."""
    digits = tf.where(big_endian, digits, tf.reverse(digits, [-1]))[..., -3:]
    places = tf.range(tf.shape(digits)[-1])[::-1]
    return tf.reduce_sum(digits * 256**places, axis=-1)


def _is_in(value: tf.Tensor, values: tuple[int, ...]) -> tf.Tensor:
    return tf.reduce_any(value == tf.constant(values))
