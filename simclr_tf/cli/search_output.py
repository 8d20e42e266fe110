"""What a search found: in lines, in a picture and as JSON."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib.figure import Figure

from simclr_tf.data import Source
from simclr_tf.image_size import ImageSize, height_and_width
from simclr_tf.pictures import Captioned, draw_captioned
from simclr_tf.search import Duplicates, images_at

_GROUPS_LISTED, _GROUPS_DRAWN, _OF_A_GROUP, _ROWS_DRAWN = 20, 12, 8, 20
# A share of duplicates that is more than most collections have.
_MANY = 0.05
# Files are drawn larger than the encoder sees them.
_SHOWN_SIDE = 160


class Shown(Protocol):
    """What can be shown of what was found."""

    is_empty: bool

    def lines(self) -> Iterator[str]:
        """For a person."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""

    def draw(self) -> Figure:
        """For the eyes."""


class _Images:
    """The images of a dataset, by their places.

    Args:
      source: the images.
      image_size: of the encoder.
    """

    def __init__(self, source: Source, image_size: ImageSize) -> None:
        self._source = source
        self._labels = source.labels()
        height, width = height_and_width(image_size)
        scale = max(1.0, _SHOWN_SIDE / max(height, width)) if source.holds_files else 1
        self._size = (round(scale * height), round(scale * width))

    def about(self, place: int) -> dict[str, Any]:
        """What is known of an image."""
        known: dict[str, Any] = {"index": int(place)}
        if self._source.paths is not None:
            known["path"] = self._source.paths[place]
        if self._labels is not None and self._labels[place] >= 0:
            label = int(self._labels[place])
            known["label"] = label
            if self._source.class_names is not None:
                known["class"] = self._source.class_names[label]
        return known

    def name(self, place: int) -> str:
        """Its file, or its place, and its class."""
        about = self.about(place)
        name = about.get("path", f"image {place}")
        kind = about.get("class", about.get("label"))
        return name if kind is None else f"{name} ({kind})"

    def caption(self, place: int) -> list[str]:
        """The same, in lines for a picture."""
        about = self.about(place)
        name = os.path.basename(about.get("path", f"image {place}"))
        kind = about.get("class", about.get("label"))
        return [name] if kind is None else [name, str(kind)]

    def pictures(self, places: Sequence[int]) -> dict[int, np.ndarray]:
        """The images, as the encoder sees them or larger."""
        distinct = sorted(set(map(int, places)))
        if not distinct:
            return {}
        images = images_at(self._source, np.array(distinct), self._size).numpy()
        return dict(zip(distinct, images))


class NeighboursFound:
    """The neighbours of queries.

    Args:
      source: the dataset.
      names: of the queries.
      images: of the queries `[Q, h, w, C]`, as the encoder saw them.
      neighbours: places and similarities of each query, the most similar first.
      image_size: of the encoder.
    """

    is_empty = False

    def __init__(
        self,
        source: Source,
        names: Sequence[str],
        images: np.ndarray,
        neighbours: Sequence[tuple[np.ndarray, np.ndarray]],
        image_size: ImageSize,
    ) -> None:
        self._source = source
        self._names = names
        self._queries = images
        self._neighbours = neighbours
        self._images = _Images(source, image_size)

    def lines(self) -> Iterator[str]:
        """See `Shown`."""
        for name, (index, similarity) in zip(self._names, self._neighbours):
            yield f"{name}:"
            for place, cosine in zip(index, similarity):
                yield f"  {cosine:.4f}  {self._images.name(place)}"

    def to_dict(self) -> dict[str, Any]:
        """See `Shown`."""
        queries = []
        for name, (index, similarity) in zip(self._names, self._neighbours):
            near = [
                {"similarity": round(float(cosine), 6), **self._images.about(place)}
                for place, cosine in zip(index, similarity)
            ]
            queries.append({"query": name, "neighbours": near})
        source = self._source
        return {"dataset": source.spec, "split": source.split, "queries": queries}

    def draw(self) -> Figure:
        """See `Shown`; of many queries the first."""
        shown = self._neighbours[:_ROWS_DRAWN]
        pictures = self._images.pictures(
            [place for index, _ in shown for place in index]
        )
        rows = []
        for name, query, (index, similarity) in zip(self._names, self._queries, shown):
            row = [Captioned(query, ["query", os.path.basename(name)])]
            for place, cosine in zip(index, similarity):
                lines = [f"{cosine:.3f}", *self._images.caption(place)]
                row.append(Captioned(pictures[int(place)], lines))
            rows.append(row)
        title = f"The most similar images of {self._source.spec}, by cosine"
        if len(shown) < len(self._names):
            title += f"; the first {len(shown)} of {len(self._names):,} queries"
        return draw_captioned(rows, title)


class DuplicatesFound:
    """Groups of images that are nearly the same.

    Args:
      source: the dataset.
      groups: those with the most similar pair first.
      threshold: the least similarity of a pair.
      why: in words, why it is that.
      image_size: of the encoder.
    """

    def __init__(
        self,
        source: Source,
        groups: Sequence[Duplicates],
        threshold: float,
        why: str,
        image_size: ImageSize,
    ) -> None:
        self._source = source
        self._groups = groups
        self._threshold = threshold
        self._why = why
        self._images = _Images(source, image_size)
        self.is_empty = not groups

    def lines(self) -> Iterator[str]:
        """See `Shown`."""
        total, members = len(self._source), sum(len(g.index) for g in self._groups)
        identical = sum(group.identical for group in self._groups)
        yield f"Threshold {self._threshold:.4f}: {self._why}."
        if not self._groups:
            yield "No two images are as similar."
            return
        yield (
            f"{members:,} of {total:,} images ({members / total:.1%}) have another one "
            f"as similar, in {len(self._groups):,} groups; {identical:,} are the same "
            "as an earlier one to the pixel."
        )
        if members > _MANY * total:
            yield (
                "That is a lot: the images repeat themselves, or the encoder tells "
                "them apart poorly. The first groups are the surest; a higher "
                "--threshold leaves those."
            )
        for number, group in enumerate(self._groups[:_GROUPS_LISTED], 1):
            yield f"group {number}:"
            shown = zip(group.index, group.similarity, group.same_as)
            for place, cosine, same in list(shown)[:_OF_A_GROUP]:
                note = "" if same == place else "  the same pixels as above"
                yield f"  {cosine:.4f}  {self._images.name(place)}{note}"
            if len(group.index) > _OF_A_GROUP:
                yield f"  and {len(group.index) - _OF_A_GROUP:,} more"
        if len(self._groups) > _GROUPS_LISTED:
            left = len(self._groups) - _GROUPS_LISTED
            yield f"and {left:,} groups more; --output=FILE.json has them all."

    def to_dict(self) -> dict[str, Any]:
        """See `Shown`."""
        groups = []
        for group in self._groups:
            members = []
            for place, cosine, same in zip(
                group.index, group.similarity, group.same_as
            ):
                about = {"similarity": round(float(cosine), 6)}
                about |= self._images.about(place)
                if same != place:
                    about["same_pixels_as"] = same
                members.append(about)
            groups.append(members)
        return {
            "dataset": self._source.spec,
            "split": self._source.split,
            "images": len(self._source),
            "threshold": self._threshold,
            "why": self._why,
            "groups": groups,
        }

    def draw(self) -> Figure:
        """See `Shown`; of many groups the first, and of large ones a part."""
        shown = self._groups[:_GROUPS_DRAWN]
        drawn = [group.index[:_OF_A_GROUP] for group in shown]
        pictures = self._images.pictures([int(p) for index in drawn for p in index])
        rows = []
        for group in shown:
            row = []
            some = zip(group.index, group.similarity, group.same_as)
            for place, cosine, same in list(some)[:_OF_A_GROUP]:
                note = "" if same == place else ", same pixels"
                lines = [f"{cosine:.3f}{note}", *self._images.caption(place)]
                row.append(Captioned(pictures[int(place)], lines))
            rows.append(row)
        title = (
            f"Images of {self._source.spec} that are similar by {self._threshold:.3f}"
        )
        title += f" or more; {len(shown)} of {len(self._groups):,} groups"
        return draw_captioned(rows, title)
