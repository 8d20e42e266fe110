"""Whether image files can be read: by a look at both ends, or decoded whole."""

from __future__ import annotations

import collections
import concurrent.futures
import io
import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import tensorflow as tf
from PIL import Image

from simclr_tf.data.formats import HEAD, ValueRange, find_format
from simclr_tf.data.image_files import decode
from simclr_tf.data.image_headers import MAX_PIXELS, gif_pixels
from simclr_tf.data.listing import File
from simclr_tf.data.pages import read_page
from simclr_tf.data.source import reason
from simclr_tf.progress import Progress

_MAX_BYTES = 2**31  # of a file: MAX_PIXELS of 12 bytes
_READERS = 8
_BEGINNING = 2**16  # bytes that hold the header of nearly every file
_END = 12
_T = TypeVar("_T")


class Look(NamedTuple):
    """What both ends of a file say.

    Attributes:
      kind: name of its format, or "".
      size: height and width in pixels, or None where the header does not say.
      fault: why it cannot be read; None where it looks whole.
      is_deep: whether it may have more than 8 bits of an unknown range, see `Format`.
    """

    kind: str
    size: tuple[int, int] | None
    fault: str | None
    is_deep: bool = False


def look_at(file: File) -> Look:
    """Reads a file's beginning and end; decodes it only where these look damaged.

    Raises:
      ResourceExhaustedError: where the machine has too little memory or too many open
        files, which is no fault of the file's.
    """
    if file.fault is not None:
        return Look("", None, file.fault)
    if file.size > _MAX_BYTES and file.page is None:
        return Look("", None, _too_large(file.size))
    try:
        with tf.io.gfile.GFile(file.path, "rb") as opened:
            beginning = opened.read(_BEGINNING)
            end = beginning[-_END:]
            if file.size > len(beginning):
                opened.seek(file.size - _END)
                end = opened.read(_END)
    except tf.errors.ResourceExhaustedError:
        raise
    except tf.errors.OpError as error:
        return Look("", None, reason(error))
    found = find_format(beginning[:HEAD])
    kind = "" if found is None else found.name
    size = _size(beginning)
    whole = size is not None and _ends_well(kind, end)
    if found is not None and found.decode is not None:
        whole = True  # Decoded by Python, which is slow: training will tell.
    deep = found is not None and found.is_deep is not None and found.is_deep(beginning)
    return Look(kind, size, None if whole else check(file), deep)


def check(file: File, value_range: ValueRange | None = None) -> str | None:
    """Why a file cannot be decoded whole, or None.

    Args:
      file: the file.
      value_range: the values of black and white, see `decode`.

    Raises:
      ResourceExhaustedError: see `look_at`.
    """
    if file.fault is not None:
        return file.fault
    if file.size > _MAX_BYTES and file.page is None:
        return _too_large(file.size)
    try:
        if file.page is not None:
            read_page(file.path, file.page, value_range)
            return None
        contents = tf.io.read_file(file.path).numpy()
        pixels = gif_pixels(contents)
        if pixels > MAX_PIXELS:
            return (
                f"its frames claim {pixels:,} pixels, and {MAX_PIXELS:,} are read at "
                "most"
            )
        decode(tf.constant(contents), value_range=value_range)
    except tf.errors.ResourceExhaustedError:
        raise
    except (tf.errors.OpError, ValueError) as error:
        return reason(error)
    return None


def check_in_parallel(
    files: Sequence[File], judge: Callable[[File], _T], unit: str
) -> list[_T]:
    """What `judge` says of each file, by threads, with progress."""
    results = []
    progress = Progress(len(files), unit=unit)
    readers = concurrent.futures.ThreadPoolExecutor(_READERS)
    try:
        for done, result in enumerate(readers.map(judge, files)):
            results.append(result)
            if progress.due():
                progress.show(done)
    finally:
        # After Ctrl-C the files that are still to be read do not matter.
        readers.shutdown(wait=False, cancel_futures=True)
        progress.clear()
    return results


def describe(looks: Sequence[Look]) -> str:
    """The kinds and sizes of files in a line, such as "9 JPEG, 1 PNG; 64x64"."""
    kinds = collections.Counter(look.kind for look in looks if look.kind)
    sizes = sorted(look.size for look in looks if look.size is not None)
    told = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
    if not sizes:
        return told
    if sizes[0] == sizes[-1]:
        return f"{told}; all {sizes[0][0]} x {sizes[0][1]} px"
    heights, widths = (sorted(side) for side in zip(*sizes))
    middle = len(sizes) // 2
    return (
        f"{told}; heights {heights[0]:,} to {heights[-1]:,} px (median "
        f"{heights[middle]:,}), widths {widths[0]:,} to {widths[-1]:,} px (median "
        f"{widths[middle]:,})"
    )


def _too_large(size: int) -> str:
    return f"it is of {size:,} bytes, and {_MAX_BYTES:,} are read at most"


def _size(beginning: bytes) -> tuple[int, int] | None:
    """Height and width that a header claims; None where it cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(beginning)) as image:
                width, height = image.size
    except Exception:  # Pillow raises many kinds for damaged headers.
        return None
    sensible = min(height, width) > 0 and height * width <= MAX_PIXELS
    return (height, width) if sensible else None


def _ends_well(kind: str, end: bytes) -> bool:
    """Whether a file of a kind that TensorFlow decodes ends as a whole one does."""
    if kind == "JPEG":
        return end.endswith(b"\xff\xd9")
    return kind == "PNG" and end[4:8] == b"IEND"
