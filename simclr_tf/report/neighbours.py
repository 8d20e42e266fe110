"""Which images of a sample an encoder finds alike, and what that says of labels."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Disagreement:
    """An image whose neighbours have another label.

    Attributes:
      place: of the image in the sample.
      said: its label.
      theirs: the label that most of its neighbours have.
      share: of the neighbours' votes for that label, 0 to 1.
      neighbours: their places, the nearest first.
    """

    place: int
    said: int
    theirs: int
    share: float
    neighbours: list[int]


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two images that are nearly the same.

    Attributes:
      first: a place in the sample.
      second: another one.
      similarity: cosine of their representations.
      difference: mean absolute difference of the small pictures' pixels, 0 to 1.
    """

    first: int
    second: int
    similarity: float
    difference: float


def similarities(features: np.ndarray) -> np.ndarray:
    """Cosines of all pairs, float32 `[N, N]`, of an image and itself -1.

    Args:
      features: `[N, D]`, finite; a row of zeros is similar to nothing.
    """
    length = np.linalg.norm(features, axis=1, keepdims=True)
    unit = features / np.where(length > 0, length, 1.0)
    found = np.float32(unit @ unit.T)
    np.fill_diagonal(found, -1.0)
    return found


def nearest(similarity: np.ndarray, count: int) -> np.ndarray:
    """Places of each image's nearest others, the nearest first, `[N, count]`."""
    count = min(count, len(similarity) - 1)
    return np.argsort(-similarity, axis=1, kind="stable")[:, :count]


def spread_queries(groups: np.ndarray, count: int) -> list[int]:
    """Images of as many groups as possible, in turn; the same at each call.

    Args:
      groups: integers `[N]`: classes or clusters; negative ones come last.
      count: how many images at most.
    """
    order = sorted(set(groups.tolist()), key=lambda group: (group < 0, group))
    places = [np.flatnonzero(groups == group).tolist() for group in order]
    chosen: list[int] = []
    while any(places) and len(chosen) < count:
        for group in places:
            if group and len(chosen) < count:
                chosen.append(group.pop(0))
    return chosen


def votes(
    similarity: np.ndarray, labels: np.ndarray, classes: int, k: int = 20
) -> tuple[np.ndarray, np.ndarray]:
    """Votes of each image's k nearest labelled others, see `evaluation.knn`.

    Args:
      similarity: `[M, N]` of M images to the N that vote, -1 where one is the other.
      labels: int `[N]`, -1 where unknown.
      classes: how many there are.
      k: neighbours that vote.

    Returns:
      Shares of the votes, `[M, classes]`, and the voters' places, `[M, k]` or fewer.
    """
    known = np.flatnonzero(labels >= 0)
    seen = similarity[:, known]
    k = max(min(k, len(known) - 1), 1)
    order = np.argsort(-seen, axis=1, kind="stable")[:, :k]
    cosine = np.take_along_axis(seen, order, axis=1)
    weights = np.exp((cosine - cosine[:, :1]) / 0.1)
    found = np.zeros((len(similarity), classes))
    for column in range(order.shape[1]):
        rows = np.arange(len(similarity))
        np.add.at(found, (rows, labels[known[order[:, column]]]), weights[:, column])
    return found / found.sum(axis=1, keepdims=True), known[order]


def disagreements(
    similarity: np.ndarray, labels: np.ndarray, classes: int, most: int
) -> list[Disagreement]:
    """Images whose neighbours vote for another label, the clearest first.

    Args:
      similarity: `[N, N]`, see `similarities`.
      labels: int `[N]`, -1 where unknown.
      classes: how many there are.
      most: how many images to give.
    """
    shares, voters = votes(similarity, labels, classes)
    theirs = shares.argmax(axis=1)
    own = np.take_along_axis(shares, np.maximum(labels, 0)[:, None], axis=1)[:, 0]
    lead = shares.max(axis=1) - own
    wrong = np.flatnonzero((labels >= 0) & (theirs != labels) & (lead >= 0.5))
    found = sorted(wrong.tolist(), key=lambda place: -lead[place])
    return [
        Disagreement(
            place,
            int(labels[place]),
            int(theirs[place]),
            float(shares[place].max()),
            voters[place, :5].tolist(),
        )
        for place in found[:most]
    ]


def near_duplicates(
    similarity: np.ndarray, tiles: np.ndarray, most: int, pixels: float = 0.04
) -> list[Pair]:
    """The pairs most alike that also look alike, the most similar first.

    A cosine alone does not tell: its height depends on the encoder. So the small
    pictures are compared too.

    Args:
      similarity: `[N, N]`, see `similarities`.
      tiles: uint8 `[N, h, w, 3]`.
      most: how many pairs to give.
      pixels: the mean absolute difference of two pictures below which they look alike;
        values are 0 to 1.
    """
    upper = np.triu_indices(len(similarity), 1)
    examined = min(len(upper[0]), max(200, 10 * most))
    closest = np.argpartition(-similarity[upper], examined - 1)[:examined]
    found = []
    for first, second in zip(upper[0][closest].tolist(), upper[1][closest].tolist()):
        apart = tiles[first].astype(np.float32) - tiles[second].astype(np.float32)
        difference = float(np.mean(np.abs(apart))) / 255.0
        if difference < pixels:
            cosine = float(similarity[first, second])
            found.append(Pair(first, second, cosine, difference))
    return sorted(found, key=lambda pair: -pair.similarity)[:most]
