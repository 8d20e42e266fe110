"""Whether image files of more than 8 bits come out as they should be seen."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable
from typing import NamedTuple

import tensorflow as tf

from simclr_tf import messages
from simclr_tf.data.formats import HEAD, ValueRange, find_format
from simclr_tf.data.image_files import decode
from simclr_tf.data.source import DataError, reason

LOOKED_AT = 8  # files that are decoded for that
# Above the brightest of 256 levels where 12 bits are taken for 16: 4095 is 15 or 16.
_DARKEST = 17


class Sample(NamedTuple):
    """A file, or a page of one, that is decoded to see how bright it is.

    Attributes:
      name: for messages.
      is_deep: whether it has more than 8 bits of a range that it need not say.
      decode: gives it as uint8 `[h, w, 3]`, or raises as `image_files.decode` does.
    """

    name: str
    is_deep: bool
    decode: Callable[[], tf.Tensor]


def sample_of(name: str, contents: bytes, value_range: ValueRange | None) -> Sample:
    """A whole file."""
    decoded = functools.partial(decode, contents, value_range=value_range)
    return Sample(name, is_deep(contents), decoded)


def is_deep(contents: bytes) -> bool:
    """Whether a file has more than 8 bits of a range that it need not say."""
    found = find_format(contents[:HEAD])
    return found is not None and found.is_deep is not None and found.is_deep(contents)


def require_levels(
    files: Iterable[Sample], value_range: ValueRange | None, where: str
) -> None:
    """Decodes some files, to see that the range that was stated, or none, fits them.

    Where a range was stated and no file is deep, that is said: the range is not used.

    Args:
      files: a few of them, see `LOOKED_AT`.
      value_range: that was stated, see `image_files.decode`.
      where: the files are, for messages.

    Raises:
      DataError: where the first deep file has values out of the stated range, or
        where without one all deep files are nearly black.
    """
    files = [each for each in files if each.is_deep]
    brightest = []
    for file in files:
        try:
            image = file.decode()
        except (tf.errors.OpError, ValueError) as error:
            if "--value_range" in reason(error):
                told = f"{file.name} cannot be read: {reason(error)}."
                raise DataError(told) from error
            continue  # Damaged: reading will tell.
        brightest.append(int(tf.reduce_max(image)))
    if value_range is not None and not files:
        messages.say(
            f"{where}: value_range is not used, since no file that was looked at is a "
            "PNG or TIFF of more than 8 bits.",
            sys.stderr,
        )
    if value_range is None and brightest and 0 < max(brightest) < _DARKEST:
        raise DataError(
            f"{where}: files of 16 bits are nearly black, with {max(brightest)} of 255 "
            f"the brightest level of {len(brightest)} looked at. State their values of "
            "black and white: --value_range=0,4095 for 12 bits, or "
            "--value_range=0,65535 if they are as dark as that."
        )
