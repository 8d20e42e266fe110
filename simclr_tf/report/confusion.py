"""Which classes are taken for which."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from simclr_tf.report.neighbours import votes
from simclr_tf.report.sample import Sample


@dataclasses.dataclass(frozen=True)
class Confusion:
    """Counts of images by their class and the class they are taken for.

    Attributes:
      counts: int `[C, C]`, a row a class, a column what its images are taken for.
      classes: their names.
      source: what counted, in words.
    """

    counts: np.ndarray
    classes: Sequence[str]
    source: str

    @property
    def accuracy(self) -> float:
        """The share of images that are taken for what they are."""
        return float(np.trace(self.counts)) / max(int(self.counts.sum()), 1)

    def per_class(self) -> list[dict[str, Any]]:
        """Recall and precision of each class, and what it is mostly taken for."""
        rows = []
        for number, name in enumerate(self.classes):
            images, taken = self.counts[number].sum(), self.counts[:, number].sum()
            right = self.counts[number, number]
            others = self.counts[number].copy()
            others[number] = 0
            mistaken = int(others.argmax()) if others.any() else None
            rows.append(
                {
                    "name": name,
                    "images": int(images),
                    "recall": float(right / images) if images else None,
                    "precision": float(right / taken) if taken else None,
                    "mistaken": None if mistaken is None else self.classes[mistaken],
                    "times": 0 if mistaken is None else int(others[mistaken]),
                }
            )
        return rows


def confusion_of_sample(sample: Sample) -> Confusion | None:
    """Nearest neighbours' confusion of a sample; None where labels are too few.

    Images that were held out are classified by those learned from; where none were,
    each by all others.
    """
    if sample.labels is None:
        return None
    classes = len(sample.classes)
    known = np.flatnonzero(sample.labels >= 0)
    queries = known[sample.held_out[known]]
    bank = known[~sample.held_out[known]]
    leave_one_out = not (len(queries) and len(bank))
    if leave_one_out:
        queries = bank = known
    if len(bank) < 2:
        return None
    length = np.linalg.norm(sample.features, axis=1, keepdims=True)
    unit = sample.features / np.where(length > 0, length, 1.0)
    cosines = unit[queries] @ unit[bank].T
    if leave_one_out:
        np.fill_diagonal(cosines, -1.0)
    shares, _ = votes(cosines, sample.labels[bank], classes)
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (sample.labels[queries], shares.argmax(axis=1)), 1)
    how = (
        f"nearest neighbours of {len(queries):,} sampled images, each classified by "
        "all others (leave one out)"
        if leave_one_out
        else f"nearest neighbours: {len(queries):,} held-out images classified by "
        f"{len(bank):,} that were learned from"
    )
    return Confusion(counts, sample.classes, how)


def confusion_of_evaluation(
    name: str, result: Mapping[str, Any], classes: Sequence[str]
) -> Confusion | None:
    """The confusion that an evaluation wrote; None where it holds none.

    Args:
      name: of the evaluation, such as "linear_eval".
      result: what it wrote.
      classes: the classes' names, where the result has none.
    """
    found = result.get("confusion", result.get("confusion_matrix"))
    names = result.get("classes", result.get("class_names"))
    try:
        counts = np.asarray(found, np.int64)
    except (TypeError, ValueError):
        return None
    if counts.ndim != 2 or not len(counts) or counts.shape[0] != counts.shape[1]:
        return None
    if not isinstance(names, list) or len(names) != len(counts):
        names = list(classes)
    if len(names) != len(counts):
        names = [f"class {number}" for number in range(len(counts))]
    images = int(counts.sum())
    return Confusion(counts, list(map(str, names)), f"{name}, {images:,} test images")
