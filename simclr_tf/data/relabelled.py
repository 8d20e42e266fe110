"""A source whose labels mean what another one's do."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from simclr_tf.data.source import DataError, Make, Source


class Relabelled(Source):
    """A source with other labels for its classes.

    Args:
      base: the source, which has labels.
      new_labels: integers `[C]`, the new label of each of its classes; -1 for none.
      num_classes: how many classes the new labels have.
      class_names: theirs, where known.
    """

    def __init__(
        self,
        base: Source,
        new_labels: np.ndarray,
        num_classes: int,
        class_names: list[str] | None,
    ) -> None:
        super().__init__(
            spec=base.spec,
            split=base.split,
            image_shape=base.image_shape,
            num_examples=len(base),
            num_classes=num_classes,
            class_names=class_names,
            skipped=base.skipped,
            paths=base.paths,
            value_range=base.value_range,
        )
        self.holds_files = base.holds_files
        self.verdicts = base.verdicts
        self._base = base
        # The last one is found by -1, which stays what it is.
        self._new_labels = np.append(new_labels, -1).astype(np.int32)

    def identity(self) -> Iterable[str]:
        """See `Source`."""
        return self._base.identity()

    def states(self) -> Iterable[str]:
        """See `Source`."""
        return self._base.states()

    def find_fault(self) -> str | None:
        """See `Source`."""
        return self._base.find_fault()

    def unreadable(self) -> np.ndarray:
        """See `Source`."""
        return self._base.unreadable()

    def labels(self) -> np.ndarray | None:
        """See `Source`."""
        labels = self._base.labels()
        return None if labels is None else self._new_labels[labels]

    def groups(self) -> np.ndarray | None:
        """See `Source`."""
        return self._base.groups()

    def indices(self, places: np.ndarray) -> np.ndarray:
        """See `Source`."""
        return self._base.indices(places)

    def stated_sizes(self, places: np.ndarray) -> np.ndarray | None:
        """See `Source`."""
        return self._base.stated_sizes(places)

    def read(self, indices: tf.data.Dataset) -> tf.data.Dataset:
        """See `Source`."""
        return self._base.read(indices).map(self._relabel)

    def read_files(self, asked: tf.data.Dataset, make: Make) -> tf.data.Dataset:
        """See `Source`."""
        return self._base.read_files(asked, make).map(self._relabel)

    def _relabel(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        last = len(self._new_labels) - 1
        label = tf.where(batch["label"] < 0, last, tf.cast(batch["label"], tf.int32))
        return {**batch, "label": tf.gather(self._new_labels, label)}


def with_class_names(source: Source, names: list[str]) -> Source:
    """A source whose labels are places in `names`; -1 of classes that are not there.

    Raises:
      DataError: where it has no labels, or none of these classes.
    """
    if source.num_classes is None:
        raise DataError(f"{source} has no labels, and these are needed.")
    own = source.class_names or [str(k) for k in range(source.num_classes)]
    if own == names:
        return source
    places = {name: place for place, name in enumerate(names)}
    labels = np.array([places.get(name, -1) for name in own])
    if (labels < 0).all():
        raise DataError(
            f"{source} has other classes than the classifier: {', '.join(own[:3])} and "
            f"the like, and {', '.join(names[:3])} and the like."
        )
    return Relabelled(source, labels, len(names), names)
