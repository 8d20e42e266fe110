"""A dataset of any size, encoded part by part in flat memory."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from simclr_tf.data import Source, Subset, data_errors, evaluation_batches
from simclr_tf.embeddings.parts import Part, Parts
from simclr_tf.evaluation.features import encode_batches
from simclr_tf.image_size import ImageSize
from simclr_tf.progress import Progress

PART_BYTES = 2**25
PART_SECONDS = 60.0


def embed_source(
    encoder: Callable[..., tf.Tensor],
    source: Source,
    parts: Parts,
    *,
    image_size: ImageSize,
    batch_size: int,
    should_stop: Callable[[], bool] = lambda: False,
    part_bytes: int = PART_BYTES,
    part_seconds: float = PART_SECONDS,
) -> bool:
    """Encodes the images of a source whose features are not among the parts yet.

    Memory holds one part at a time, whatever the number of images.

    Args:
      encoder: of `encode`.
      source: the images.
      parts: of the same encoder and images; takes the new ones.
      image_size: side of the images that the encoder sees, or height and width.
      batch_size: images encoded at a time.
      should_stop: asked after each batch.
      part_bytes: a part is kept when its features have so many bytes, or
      part_seconds: when it was begun so many seconds ago.

    Returns:
      Whether all are done; False where `should_stop` ended it. What was encoded is kept
      in either case.

    Raises:
      DataError: where the images cannot be read.
      WriteError: where a part cannot be written.
    """
    total = len(source)
    if parts.count >= total:
        return True
    rest: Source = source
    if parts.count:
        places = np.arange(parts.count, total)
        rest = Subset(source, places, source.split)
    batches = evaluation_batches(rest, batch_size=batch_size, image_size=image_size)
    progress = Progress(total, start=parts.count)
    waiting = _Waiting(source, parts, part_bytes, part_seconds)
    try:
        with data_errors(source):
            for features, labels in encode_batches(encoder, batches):
                waiting.add(features, labels)
                if progress.due():
                    progress.show(waiting.done)
                if should_stop() and waiting.done < total:
                    return False
    finally:
        progress.clear()
        waiting.keep()
    return True


class _Waiting:
    """Batches that are not kept yet."""

    def __init__(
        self, source: Source, parts: Parts, part_bytes: int, part_seconds: float
    ) -> None:
        self._source = source
        self._parts = parts
        self._part_bytes = part_bytes
        self._part_seconds = part_seconds
        self.done = parts.count
        self._begin()

    def _begin(self) -> None:
        self._features: list[np.ndarray] = []
        self._labels: list[np.ndarray] = []
        self._bytes = 0
        self._began = time.monotonic()

    def add(self, features: np.ndarray, labels: np.ndarray | None) -> None:
        self._features.append(features)
        if labels is not None:
            self._labels.append(labels)
        self._bytes += features.nbytes
        self.done += len(features)
        old = time.monotonic() - self._began >= self._part_seconds
        if old or self._bytes >= self._part_bytes:
            self.keep()

    def keep(self) -> None:
        if not self._features:
            return
        # A batch has been given once each of its images was read, so that all that
        # cannot be read up to here are known.
        bad = self._source.unreadable()
        first = self._parts.count
        part = Part(
            first,
            np.concatenate(self._features),
            np.concatenate(self._labels) if self._labels else None,
            bad[(bad >= first) & (bad < self.done)],
        )
        self._parts.append(part)
        self._begin()
