"""Pages of TIFF files as images of their own, each read alone."""

from __future__ import annotations

import io
from typing import Any, BinaryIO, NamedTuple, cast

import tensorflow as tf
from PIL import Image

from simclr_tf.data.elsewhere import is_made_elsewhere
from simclr_tf.data.formats import HEAD, ValueRange, find_format
from simclr_tf.data.formats.tiff import (
    TIFF,
    decode_page,
    is_deep_page,
    picture_pages,
)
from simclr_tf.data.listing import File
from simclr_tf.data.source import reason


class Pages(NamedTuple):
    """What pages a file has.

    Attributes:
      files: the file as each of them; the file itself, where it has one alone.
      fault: why that cannot be told; None otherwise.
    """

    files: list[File]
    fault: str | None = None


def pages_of(file: File) -> Pages:
    """The pages of a file; of another format than TIFF it is one image."""
    if file.fault is not None:
        return Pages([file])
    try:
        with _opened(file.path) as opened:
            if find_format(opened.read(HEAD)) is not TIFF:
                return Pages([file])
            numbers = picture_pages(opened)
    except MemoryError:
        raise
    except Exception as error:  # tifffile raises many kinds for damaged files.
        return Pages([], reason(error) or type(error).__name__)
    if numbers == [0]:
        return Pages([file])
    return Pages([file._replace(page=number) for number in numbers])


def read_page(path: str, page: int, value_range: ValueRange | None) -> bytes:
    """A page as an image file of 8 bits, quickly written and decoded again: BMP.

    Raises:
      ValueError: where it is damaged.
    """
    written = io.BytesIO()
    try:
        with _opened(path) as opened:
            pixels = decode_page(opened, page, value_range)
        Image.fromarray(pixels).save(written, "BMP")
    except MemoryError:
        raise
    except Exception as error:
        raise ValueError(f"TIFF: {reason(error) or type(error).__name__}") from None
    return written.getvalue()


def page_contents(
    path: tf.Tensor, page: tf.Tensor, value_range: ValueRange | None
) -> tf.Tensor:
    """`read_page` in a graph, on the host.

    Args:
      path: of the file, a scalar string.
      page: a scalar integer.
      value_range: see `decode`.

    Returns:
      A scalar string.
    """
    if is_made_elsewhere():
        complaint = (
            "a tf.data service reads no pages: write the images with simclr prepare "
            "and name those"
        )
        with tf.control_dependencies([tf.debugging.Assert(False, [complaint])]):
            return tf.constant(b"")

    def read(path: bytes, page: Any) -> bytes:
        name = path.decode("utf-8", "surrogateescape")
        return read_page(name, int(page), value_range)

    return tf.ensure_shape(tf.numpy_function(read, [path, page], tf.string), [])


def is_deep(file: File) -> bool:
    """Whether a page has more than 8 bits of a range that it need not say."""
    assert file.page is not None
    with _opened(file.path) as opened:
        return is_deep_page(opened, file.page)


def _opened(path: str) -> BinaryIO:
    """A file in which one can go anywhere; a local one without TensorFlow's buffers."""
    if "://" in path:
        return cast(BinaryIO, tf.io.gfile.GFile(path, "rb"))
    return open(path, "rb")
