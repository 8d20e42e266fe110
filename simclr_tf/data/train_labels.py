"""Which training images may show their labels: few of them, the same at each call."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from simclr_tf.data.named_files import NamedFiles
from simclr_tf.data.source import DataError, Source, reason
from simclr_tf.data.subset import Subset

_NAMED_AT_MOST = 3
_READ_AT_ONCE = 256


class TrainLabels(NamedTuple):
    """The training images of a dataset, parted by whether their labels are used.

    Attributes:
      labelled: images whose labels are used.
      places: theirs in the dataset, in rising order.
      others: the rest, whose labels are not; None where there are none.
      note: how many of each class, in words.
    """

    labelled: Source
    places: np.ndarray
    others: Source | None
    note: str


def choose_train_labels(source: Source, said: str, seed: int) -> TrainLabels:
    """Takes some images of each class, balanced, as a function of (source, said, seed).

    Each class's images come in an order drawn from (seed, class), of which the first
    are taken: so fewer labels are always among more of the same seed.

    Args:
      source: training images with labels, some perhaps unlabelled.
      said: "all"; a share of all labelled images, such as "0.01", of which each class
        gives equally many, as far as it has them, and one at least; "25-per-class"; or
        "file:PATH", a text file that names an image a line: by its file's name, as the
        published ImageNet subsets do, with or without folders, see `NamedFiles`; or by
        its place in the dataset, from 0.
      seed: of the draws.

    Raises:
      DataError: where what is said is none of these, or cannot be had of this source.
    """
    labels = _labels_of(source)
    known = np.flatnonzero(labels >= 0)
    if not len(known):
        raise DataError(f"{source} has no labelled image to learn from.")
    if said == "all":
        places = known
    elif said.startswith("file:"):
        places = _named_in(said.removeprefix("file:"), source, labels)
    else:
        places = _balanced(labels, _count_of(said, labels, source), seed)
    others = np.setdiff1d(np.arange(len(source)), places)
    taken = np.bincount(labels[places], minlength=source.num_classes or 0)
    return TrainLabels(
        source if not len(others) else Subset(source, places, source.split),
        places,
        Subset(source, others, source.split) if len(others) else None,
        _note(source, taken, len(known)),
    )


def require_train_labels(said: str) -> None:
    """Raises DataError where it is none of what `choose_train_labels` takes."""
    if said == "all" or said.startswith("file:"):
        return
    if re.fullmatch(r"[1-9]\d*-per-class", said):
        return
    try:
        if 0.0 < float(said) <= 1.0:
            return
    except ValueError:
        pass
    raise DataError(
        "train_labels must be all, a share above 0 and at most 1, such as 0.01, a "
        f"number of each class, such as 25-per-class, or file:PATH, got {said!r}."
    )


def _labels_of(source: Source) -> np.ndarray:
    """All labels, for which images are read where nothing else tells."""
    if source.num_classes is None:
        raise DataError(
            f"{source} has no labels, and train_labels chooses among them. In a "
            "folder, put each class into a subfolder of its own."
        )
    labels = source.labels()
    if labels is not None:
        return labels
    places = tf.data.Dataset.range(len(source)).batch(_READ_AT_ONCE)
    read = source.read(places).map(lambda batch: batch["label"])
    return np.concatenate([batch.numpy() for batch in read])


def _count_of(said: str, labels: np.ndarray, source: Source) -> int:
    """Images of each class that has so many."""
    require_train_labels(said)
    sizes = np.bincount(labels[labels >= 0])
    sizes = sizes[sizes > 0]
    if said.endswith("-per-class"):
        count = int(said.removesuffix("-per-class"))
        if count > sizes.max():
            raise DataError(
                f"train_labels={said}: no class of {source} has more than "
                f"{sizes.max():,} labelled images."
            )
        return count
    wanted = float(said) * sizes.sum()
    totals = np.array([np.minimum(sizes, k).sum() for k in range(1, sizes.max() + 1)])
    return 1 + int(np.argmin(np.abs(totals - wanted)))


def _balanced(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The places of up to `count` images of each class, in rising order."""
    taken = []
    for label in np.unique(labels[labels >= 0]):
        members = np.flatnonzero(labels == label)
        order = np.random.default_rng([seed, int(label)]).permutation(len(members))
        taken.append(members[order[:count]])
    return np.sort(np.concatenate(taken))


def _named_in(path: str, source: Source, labels: np.ndarray) -> np.ndarray:
    """The places of the images that a file names, in rising order."""
    try:
        with tf.io.gfile.GFile(path) as file:
            text = file.read()
    except (OSError, UnicodeDecodeError, tf.errors.OpError) as error:
        raise DataError(
            f"train_labels: {path} cannot be read as a list of images: "
            f"{reason(error).rpartition('; ')[2]}."
        ) from error
    numbered = enumerate(map(str.strip, text.splitlines()), 1)
    lines = [(number, name) for number, name in numbered if name]
    if not lines:
        raise DataError(f"train_labels: {path} names no image.")
    names = [name for _, name in lines]
    if all(name.isdecimal() for name in names):
        places = np.array([int(name) for name in names])
        missing = [str(place) for place in places[places >= len(source)]]
    elif source.paths is None:
        raise DataError(
            f"train_labels: {path} holds names of files, and the images of {source} "
            "are no files: give their places in the dataset, from 0, a line each."
        )
    else:
        places = _places_of_files(path, lines, source.paths)
        missing = [name for name, place in zip(names, places) if place < 0]
    if missing:
        more = len(missing) - _NAMED_AT_MOST
        raise DataError(
            f"train_labels: {path} names images that {source} does not have: "
            f"{', '.join(missing[:_NAMED_AT_MOST])}"
            f"{f' and {more:,} more' if more > 0 else ''}."
        )
    places = np.unique(places)
    unlabelled = int((labels[places] < 0).sum())
    if unlabelled:
        raise DataError(
            f"train_labels: {unlabelled:,} of the images that {path} names have no "
            "label."
        )
    return places


def _places_of_files(
    path: str, lines: Sequence[tuple[int, str]], files: Sequence[str]
) -> np.ndarray:
    """Which file each numbered line stands for, -1 where none, see `NamedFiles`."""
    named = NamedFiles(files)
    places = []
    for number, name in lines:
        try:
            places.append(named.place_of(name))
        except DataError as error:
            raise DataError(
                f"train_labels: line {number:,} of {path} names {name}, {error}"
            ) from None
    return np.array(places)


def _note(source: Source, taken: np.ndarray, known: int) -> str:
    least, most = taken[taken > 0].min(), taken.max()
    each = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    note = f"Labels used: {taken.sum():,} of {known:,}, {each} of each class."
    empty = np.flatnonzero(taken == 0)
    if len(empty):
        names = source.class_names or [str(k) for k in range(len(taken))]
        shown = ", ".join(names[k] for k in empty[:_NAMED_AT_MOST])
        more = f" and {len(empty) - _NAMED_AT_MOST:,} more" if len(empty) > 3 else ""
        note += f" None of {shown}{more}: these cannot be recognised."
    return note
