"""Part of a source, in an order of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from simclr_tf.data.source import Asked, Make, Source


class Subset(Source):
    """Some images of a source.

    Examples:
      >>> source = simclr_tf.data.load("shapes:40", image_size=16)
      >>> len(simclr_tf.data.Subset(source, [3, 1, 4], "a part"))
      3

    Attributes:
      places: int64 `[N]`, the indices of the images in the source.

    Args:
      base: the source.
      places: integers `[N]`, the indices of the images in `base`, in the order
        wanted.
      name: what to call the part, in place of the source's split.
    """

    def __init__(self, base: Source, places: np.ndarray, name: str) -> None:
        super().__init__(
            spec=base.spec,
            split=name,
            image_shape=base.image_shape,
            num_examples=len(places),
            num_classes=base.num_classes,
            class_names=base.class_names,
            paths=None if base.paths is None else [base.paths[i] for i in places],
            value_range=base.value_range,
        )
        self.holds_files = base.holds_files
        self.class_note = base.class_note
        self.verdicts = base.verdicts
        self._base = base
        self.places = np.asarray(places, np.int64)
        self._places = tf.constant(places, tf.int64)

    def identity(self) -> Iterable[str]:
        """See `Source`: that of the whole, and which of its images."""
        yield from self._base.identity()
        yield hashlib.sha256(self._places.numpy().tobytes()).hexdigest()

    def states(self) -> Iterable[str]:
        """See `Source`."""
        return self._base.states()

    def find_fault(self) -> str | None:
        """See `Source`."""
        return self._base.find_fault()

    def unreadable(self) -> np.ndarray:
        """See `Source`."""
        return np.flatnonzero(np.isin(self._places.numpy(), self._base.unreadable()))

    def labels(self) -> np.ndarray | None:
        """See `Source`."""
        labels = self._base.labels()
        return None if labels is None else labels[self._places.numpy()]

    def groups(self) -> np.ndarray | None:
        """See `Source`."""
        groups = self._base.groups()
        return None if groups is None else groups[self._places.numpy()]

    def indices(self, places: np.ndarray) -> np.ndarray:
        """See `Source`: those of the whole."""
        return self._base.indices(self._places.numpy()[places])

    def stated_sizes(self, places: np.ndarray) -> np.ndarray | None:
        """See `Source`."""
        return self._base.stated_sizes(self._places.numpy()[places])

    def read(self, indices: tf.data.Dataset) -> tf.data.Dataset:
        """See `Source`; `"index"` is the place in the whole."""
        return self._base.read(indices.map(lambda i: tf.gather(self._places, i)))

    def read_files(self, asked: tf.data.Dataset, make: Make) -> tf.data.Dataset:
        """See `Source`; `"index"` is the place in the whole."""

        def of_whole(batch: Asked) -> Asked:
            return {**batch, "index": tf.gather(self._places, batch["index"])}

        return self._base.read_files(asked.map(of_whole), make)


def shuffled_places(count: int, seed: int = 0) -> np.ndarray:
    """The places 0 to count - 1 in an order that is the same at each call."""
    return np.random.default_rng(seed).permutation(count)
