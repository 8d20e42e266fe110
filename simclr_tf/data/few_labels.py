"""A source of which only some labels are shown, or guesses in the place of others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf

from simclr_tf.data.relabelled import Relabelled
from simclr_tf.data.source import Source

# Stands for an image's own label.
_SHOWN = -2


class FewLabels(Relabelled):
    """A source with all its images, most of them unlabelled.

    Args:
      base: the source, which has labels.
      places: integers `[L]`, places in it of the images whose labels are shown.
      guessed: integers `[G]`, places of other images that are given a label.
      guesses: integers `[G]`, those labels.
    """

    def __init__(
        self,
        base: Source,
        places: np.ndarray,
        guessed: Sequence[int] = (),
        guesses: Sequence[int] = (),
    ) -> None:
        count = base.num_classes or 0
        super().__init__(base, np.arange(count), count, base.class_names)
        self._places = np.sort(np.asarray(places, np.int64))
        self._guessed = np.asarray(guessed, np.int64)
        self._guesses = np.asarray(guesses, np.int32)
        indices, of_guesses = base.indices(self._places), base.indices(self._guessed)
        # By index; the last one is of all above.
        count = max(indices.max(initial=0), of_guesses.max(initial=0)) + 2
        given = np.full(count, -1, np.int32)
        given[of_guesses] = self._guesses
        given[indices] = _SHOWN
        self._given = tf.constant(given)

    def identity(self) -> Iterable[str]:
        """See `Source`: that of the images, and which of them are labelled."""
        yield from super().identity()
        parts = (self._places, self._guessed, self._guesses)
        yield hashlib.sha256(b"".join(each.tobytes() for each in parts)).hexdigest()

    def labels(self) -> np.ndarray | None:
        """See `Source`."""
        labels = super().labels()
        if labels is None:
            return None
        given = np.full_like(labels, -1)
        given[self._guessed] = self._guesses
        given[self._places] = labels[self._places]
        return given

    def _relabel(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        last = tf.size(self._given, tf.int64) - 1
        index = tf.minimum(tf.cast(batch["index"], tf.int64), last)
        label, given = tf.cast(batch["label"], tf.int32), tf.gather(self._given, index)
        return {**batch, "label": tf.where(given == _SHOWN, label, given)}
