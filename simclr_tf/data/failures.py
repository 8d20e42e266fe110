"""Turns TensorFlow's errors while images are read into errors that name the data."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import tensorflow as tf

from simclr_tf.augmentation import explain_out_of_range
from simclr_tf.data.source import DataError, Source, reason
from simclr_tf.errors import UserError

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
      DataError: where a source finds a fault in its data, the operation that failed
        reads data, or images are out of range.
    """
    try:
        yield
    except tf.errors.OpError as error:
        known = [source for source in sources if source is not None]
        for source in known:
            fault = source.find_fault()
            if fault is not None:
                raise DataError(fault) from error
        if known:
            _explain(error, " or ".join(dict.fromkeys(map(_name, known))))
        raise


def _name(source: Source) -> str:
    return f"{source.spec} ({source.split})"


def _explain(error: tf.errors.OpError, names: str) -> None:
    try:
        explain_out_of_range(error)
    except UserError as mistake:
        raise DataError(f"{names}: {mistake}") from error
    if _READING.search(error.message):
        raise DataError(f"{names}: an image cannot be read: {reason(error)}") from error
