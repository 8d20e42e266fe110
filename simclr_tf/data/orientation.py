"""How a photograph is to be turned, as its EXIF says."""

from __future__ import annotations

import tensorflow as tf

_WINDOW = 4096  # bytes of a file in which its orientation is looked for
_PADDING = 32  # zeros after them, so that what is looked for is there to be read
_ENTRY = 12  # bytes of an entry of EXIF
_TAG = 0x0112


def orientation(contents: tf.Tensor) -> tf.Tensor:
    """EXIF's orientation of a JPEG file, 1 to 8.

    Args:
      contents: the file's bytes, a scalar string.

    Returns:
      A scalar int32; 1, as it is stored, for files that do not say.
    """
    start = tf.strings.join([tf.strings.substr(contents, 0, _WINDOW), b"\0" * _PADDING])
    numbers = _bytes(start)
    # EXIF comes first, or after the segment of JFIF.
    after_jfif = 4 + tf.reduce_sum(numbers[4:6] * (256, 1))
    after_jfif = tf.minimum(after_jfif, tf.size(numbers) - _PADDING)
    is_jfif = tf.strings.substr(start, 0, 4) == b"\xff\xd8\xff\xe0"
    at = tf.where(is_jfif, after_jfif, 2)
    has_exif = tf.strings.substr(start, at, 2) == b"\xff\xe1"
    has_exif &= tf.strings.substr(start, at + 4, 6) == b"Exif\0\0"
    is_jpeg = tf.strings.substr(start, 0, 3) == b"\xff\xd8\xff"
    return tf.cond(
        is_jpeg & has_exif,
        lambda: _in_exif(numbers[at + 10 :]),
        lambda: tf.constant(1),
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


def _in_exif(numbers: tf.Tensor) -> tf.Tensor:
    """The orientation in the first directory of EXIF's bytes, 22 of them or more."""
    is_big_endian = numbers[0] == ord("M")
    pair = tf.where(is_big_endian, (256, 1), (1, 256))
    # Of four bytes the first does not matter: the directory is near.
    four = tf.where(is_big_endian, (0, 65536, 256, 1), (1, 256, 65536, 0))
    length = tf.size(numbers)
    directory = tf.minimum(tf.reduce_sum(numbers[4:8] * four), length - 2)
    entries = numbers[directory + 2 :]
    count = tf.reduce_sum(numbers[directory : directory + 2] * pair)
    count = tf.minimum(count, tf.size(entries) // _ENTRY)
    entries = tf.reshape(entries[: count * _ENTRY], [-1, _ENTRY])
    is_turn = tf.reduce_sum(entries[:, :2] * pair, axis=1) == _TAG
    values = tf.reduce_sum(entries[:, 8:10] * pair, axis=1)
    value = tf.reduce_sum(tf.where(is_turn, values, 0))
    return tf.where((value >= 1) & (value <= 8), value, 1)


def _bytes(text: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.io.decode_raw(text, tf.uint8), tf.int32)


def _is_in(value: tf.Tensor, values: tuple[int, ...]) -> tf.Tensor:
    return tf.reduce_any(value == tf.constant(values))
