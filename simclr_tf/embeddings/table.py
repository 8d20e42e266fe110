"""Features with what is known of their images, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from simclr_tf.data import Source
from simclr_tf.embeddings.parts import Parts

# Rows of a block, at most; a part has as many as fit into some megabytes.
_ROWS = 2**14


class Block(NamedTuple):
    """Rows of a table.

    Attributes:
      features: float32 `[n, D]`.
      index: int64 `[n]`, each image's place in the dataset.
      paths: `n` file names, or None where images have none of their own.
      labels: int64 `[n]`, -1 where an image has none, or None without labels.
      classes: `n` names of classes, "" where an image has no label, or None where
        classes have no names.
    """

    features: np.ndarray
    index: np.ndarray
    paths: Sequence[str] | None
    labels: np.ndarray | None
    classes: Sequence[str] | None


class Table:
    """The features of a dataset's images; those that cannot be read are left out.

    Args:
      source: the images.
      parts: the features of all of them.
      before_block: called before each block is read; what it raises ends the reading.

    Attributes:
      count: rows.
      width: numbers of a feature, D.
      bad: int64, places of the images that are left out.
      paths: of all images of the dataset, or None, see `Block`.
      class_names: in the labels' order, or None.
    """

    def __init__(
        self,
        source: Source,
        parts: Parts,
        before_block: Callable[[], None] = lambda: None,
    ) -> None:
        self._parts = parts
        self._before_block = before_block
        self.bad = parts.bad()
        self.count = parts.count - len(self.bad)
        self.paths = source.paths
        first = next(iter(parts))
        self.width = first.features.shape[1]
        self.has_labels = first.labels is not None
        self.class_names = source.class_names if self.has_labels else None

    def columns(self) -> list[str]:
        """Names of what is there besides features, as files name them."""
        there = {
            "path": self.paths is not None,
            "index": True,
            "label": self.has_labels,
            "class": self.class_names is not None,
        }
        return [name for name, is_there in there.items() if is_there]

    def blocks(self) -> Iterator[Block]:
        """All rows, in the dataset's order."""
        for part in self._parts:
            index = np.arange(part.first, part.end)
            good = ~np.isin(index, part.bad)
            for start in range(0, len(index), _ROWS):
                self._before_block()
                kept = start + np.flatnonzero(good[start : start + _ROWS])
                if len(kept):
                    labels = None if part.labels is None else part.labels[kept]
                    yield self._block(part.features[kept], index[kept], labels)

    def _block(
        self, features: np.ndarray, index: np.ndarray, labels: np.ndarray | None
    ) -> Block:
        paths = None
        if self.paths is not None:
            paths = [self.paths[place] for place in index]
        classes = None
        if self.class_names is not None and labels is not None:
            names = [*self.class_names, ""]  # That of -1 is the last.
            classes = [names[label] for label in labels]
        return Block(features, index, paths, labels, classes)
