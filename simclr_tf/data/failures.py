"""What TensorFlow raises while images are read, as mistakes that name the data."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import tensorflow as tf

from simclr_tf.data.source import DataError, Source, reason

# Operations that fail on account of the data alone, and what they say then.
_READING = re.compile(
    r"ReadFile|Decode(Image|Jpeg|Png|Bmp|Gif|AndCropJpeg)|ExtractJpegShape|ParseExample"
    r"|corrupted record|truncated record|the header claims"
)


@contextlib.contextmanager
def data_errors(*sources: Source | None) -> Iterator[None]:
    """Turns TensorFlow's errors about data into `DataError`s that say which and why.

    Put it around whatever takes batches from an iterator: a pipeline reads its files
    behind the steps, and an error comes with the next batch. Other errors pass
    through unchanged.

    Args:
      *sources: what is being read; None counts as nothing.

    Raises:
      DataError: where a source finds what is wrong with its data, or where the
        operation that failed reads data.
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
