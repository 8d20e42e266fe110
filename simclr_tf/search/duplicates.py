"""Images of a dataset that occur more than once, as they are or nearly so."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from simclr_tf.data import Source
from simclr_tf.search.groups import similar_groups
from simclr_tf.search.pixels import pixel_digests


class Duplicates(NamedTuple):
    """A group of images that are nearly the same.

    Attributes:
      index: int64 `[n]`, their places in the dataset, rising.
      similarity: float32 `[n]`, of each to the most similar other one.
      same_as: `n` places: of the first image of the group that is the same to the
        pixel, which is the image's own where there is none before it.
    """

    index: np.ndarray
    similarity: np.ndarray
    same_as: list[int]

    @property
    def identical(self) -> int:
        """Images that are another one of the group, to the pixel."""
        return sum(same != own for same, own in zip(self.same_as, self.index))


def find_duplicates(
    source: Source,
    places: np.ndarray,
    unit: np.ndarray,
    threshold: float,
    progress: Callable[[int], None] = lambda done: None,
) -> list[Duplicates]:
    """Groups of images whose features are similar from a threshold on.

    Args:
      source: the images.
      places: int64 `[N]`, the place of each row in the dataset.
      unit: float32 `[N, D]`, see `unit_rows`. It is changed.
      threshold: the least cosine of a pair, in (0, 1].
      progress: called with the number of rows that are done.

    Returns:
      Groups, those with the most similar pair first.

    Raises:
      DataError: where an image cannot be read.
    """
    groups = similar_groups(unit, threshold, progress)
    if not groups:
        return []
    members = [places[group.members] for group in groups]
    digests = iter(pixel_digests(source, np.concatenate(members)))
    found = []
    for group, index in zip(groups, members):
        first: dict[str, int] = {}
        same_as = [first.setdefault(next(digests), int(place)) for place in index]
        found.append(Duplicates(index, group.similarity, same_as))
    return found
