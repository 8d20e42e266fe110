"""A sample of a run's images, and what its encoder makes of them."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from simclr_tf.data import (
    Source,
    Subset,
    data_errors,
    evaluation_batches,
    preview,
)
from simclr_tf.data.subset import shuffled_places
from simclr_tf.evaluation import encode
from simclr_tf.methods.supervised import SupervisedMethod
from simclr_tf.model import Learner
from simclr_tf.report.images_of_run import RunImages, images_of_run
from simclr_tf.report.thumbnails import thumbnails
from simclr_tf.training import RunFolder, build_augmenter
from simclr_tf.training.classifier import load_classifier, trained_classifier
from simclr_tf.training.image_verdicts import recall_verdicts

# Sides of pictures on the page, in pixels.
_THUMBNAIL, _VIEW = 64, 112
_BATCH = 64
# Images that are shown beside their views, and views of each.
_SHOWN, _EPOCHS = 8, 2


@dataclasses.dataclass(frozen=True)
class Sample:
    """Images of a run and their representations.

    Attributes:
      features: float32 `[N, D]`, finite.
      labels: int64 `[N]`, -1 where unknown; None where the images have no labels.
      classes: the classes' names, or their numbers; empty without labels.
      names: of the images: their files, or their places in the dataset.
      held_out: bool `[N]`, whether the run did not learn from the image.
      tiles: uint8 `[N, h, w, 3]`, small pictures.
      total: how many images the run has.
      views: uint8 `[n, 1 + V, h, w, 3]`, some images and then their views.
      channels: of the images.
      notes: lines for a person.
    """

    features: np.ndarray
    labels: np.ndarray | None
    classes: Sequence[str]
    names: Sequence[str]
    held_out: np.ndarray
    tiles: np.ndarray
    total: int
    views: np.ndarray
    channels: int
    notes: Sequence[str]

    def __len__(self) -> int:
        return len(self.features)

    def label(self, place: int) -> str:
        """The class of an image in words; "" where it is not known."""
        if self.labels is None or self.labels[place] < 0:
            return ""
        return self.classes[self.labels[place]]


class _Encoded(NamedTuple):
    """A part of a sample, see there."""

    features: np.ndarray
    labels: np.ndarray  # -1 where unknown
    tiles: np.ndarray
    held_out: np.ndarray
    names: list[str]


def take_sample(
    run: RunFolder, *, images: int, seconds: float, say: Callable[[str], None]
) -> Sample:
    """Encodes a sample of a run's images: two thirds of what it learned from.

    The rest are images it was measured on and did not learn from, where there are such.

    Args:
      run: the run folder.
      images: how many at most, 2 or more.
      seconds: after which no further images are encoded; some are in any case.
      say: called with a line where a state is damaged and an older one is taken.

    Raises:
      UserError: where the run has no settings or no state, or its images cannot be
        read.
    """
    recipe, model = _opened(run, say)
    found = images_of_run(run)
    parts = _parts(found, images)
    stop = time.monotonic() + seconds
    encoded = []
    for number, (part, held_out) in enumerate(parts):
        recall_verdicts(part, run.path)
        left = stop - time.monotonic()
        until = time.monotonic() + max(left / (len(parts) - number), 0.0)
        encoded.append(_encode(model, part, recipe, held_out, until))
    features = np.concatenate([each.features for each in encoded])
    labels: np.ndarray | None = np.concatenate([each.labels for each in encoded])
    tiles = np.concatenate([each.tiles for each in encoded])
    held = np.concatenate([each.held_out for each in encoded])
    names = [name for each in encoded for name in each.names]
    fine = np.isfinite(features).all(axis=1)
    notes = [found.note] if found.note else []
    if not fine.all():
        notes.append(
            f"{np.sum(~fine):,} of {len(fine):,} images have representations that are "
            "no numbers, and are left out."
        )
    if labels is not None and (labels < 0).all():
        labels = None
    return Sample(
        features=features[fine],
        labels=None if labels is None else labels[fine],
        classes=[] if labels is None else found.classes,
        names=_shortened([name for name, kept in zip(names, fine) if kept]),
        held_out=held[fine],
        tiles=tiles[fine],
        total=sum(len(source) for source, _ in found.sources),
        views=_views(found.train, recipe),
        channels=found.train.image_shape[-1],
        notes=notes,
    )


def _opened(run: RunFolder, say: Callable[[str], None]) -> tuple[Any, Learner]:
    """The settings of a run of any command, and its model."""
    classifier = trained_classifier(run.path)
    if classifier is None:
        return run.recipe(), run.load_model(say, precision="float32")
    model, _ = load_classifier(classifier, SupervisedMethod(), say, precision="float32")
    return classifier.settings(), model


def _parts(found: RunImages, images: int) -> list[tuple[Subset, bool]]:
    """Parts of the sources in an order without meaning, and which are held out."""
    most = images if found.others is None else images - images // 3
    learned = min(most, len(found.train))
    counts = [learned, images - learned]
    return [
        (Subset(source, shuffled_places(len(source))[:count], source.split), held_out)
        for (source, held_out), count in zip(found.sources, counts)
        if count
    ]


def _encode(
    model: tf.keras.Model,
    part: Subset,
    recipe: Any,
    held_out: bool,
    until: float,
) -> _Encoded:
    """As many images of a part as time allows."""
    batches = evaluation_batches(part, batch_size=_BATCH, image_size=recipe.image_size)
    features, labels, tiles = [], [], []
    with data_errors(part):
        for batch in batches:
            h, y = encode(model, tf.data.Dataset.from_tensors(batch))
            features.append(h)
            labels.append(y)
            tiles.append(thumbnails(batch["image"].numpy(), _THUMBNAIL))
            if time.monotonic() > until:
                break
    h, pictures = np.concatenate(features), np.concatenate(tiles)
    kept = np.setdiff1d(np.arange(len(h)), part.unreadable())
    none = labels[0] is None
    known = np.full(len(kept), -1) if none else np.concatenate(labels)[kept]
    held = np.full(len(kept), held_out)
    names = [_name(part, place) for place in kept]
    return _Encoded(h[kept], known, pictures[kept], held, names)


def _views(source: Source, recipe: Any) -> np.ndarray:
    """Images, and views as the run's first epochs had them."""
    images, views = preview(
        source, build_augmenter(recipe), _SHOWN, seed=recipe.seed, epochs=_EPOCHS
    )
    rows = [thumbnails(images.numpy(), _VIEW)[:, None]]
    rows += [
        thumbnails(each, _VIEW)[:, None] for each in np.moveaxis(views.numpy(), 1, 0)
    ]
    return np.concatenate(rows, axis=1)


def _name(part: Subset, place: int) -> str:
    if part.paths is not None:
        return str(part.paths[place])
    return f"{part.split} image {part.places[place]}"


def _shortened(names: list[str]) -> list[str]:
    """Files without the folder that all of them are in."""
    if not all("/" in name for name in names):
        return names
    same, *others = [name.split("/")[:-1] for name in names]
    for folders in others:
        pairs = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(same, folders))
        same = [folder for folder, _ in pairs]
    return ["/".join(name.split("/")[len(same) :]) for name in names]
