"""Turns TensorFlow's errors while images are read into errors that name the data."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import tensorflow as tf

from simclr_tf.data.source import DataError, Source, reason

# Operations that fail only because of their data, and the messages of such failures.
_READING = re.compile(
    r"ReadFile|Decode(Image|Jpeg|Png|Bmp|Gif|AndCropJpeg)|ExtractJpegShape|ParseExample"
    r"|corrupted record|truncated record|the header claims"
)


@contextlib.contextmanager
def data_errors(*sources: Source | None) -> Iterator[None]:
    """Turns TensorFlow's errors about data into `DataError`s that name data and reason.

    Put it around code that takes batches from an iterator: a pipeline reads its files
    in the background, and raises an error with the next batch. Other errors pass
    through unchanged.

    Args:
      *sources: the sources being read; None is ignored.

    Raises:
      DataError: where a source finds a fault in its data, or the operation that failed
        reads data.
    """
    try:
        yield
    except tf.errors.OpError as error:
        known = [source for source in sources if source is not None]
        for source in known:
            fault = source.find_fault()
            if fault is not None:
                raise DataError(fault) from error
        if known and _READING.search(error.message):
            names = " or ".join(dict.fromkeys(f"{s.spec} ({s.split})" for s in known))
            raise DataError(
                f"{names}: an image cannot be read: {reason(error)}"
            ) from error
        raise
