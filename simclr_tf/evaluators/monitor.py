"""A sample of images, encoded now and then and shown to evaluators."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation import SimCLRAugmenter
from simclr_tf.data import Source, evaluation_batches
from simclr_tf.evaluation import encode
from simclr_tf.evaluators.evaluator import Encoded, Evaluator
from simclr_tf.image_size import ImageSize

BANK_SIZE = 2000
QUERIES = 500
_BATCH = 250


class Monitor:
    """Evaluates an encoder on a sample of images, the same at each run.

    So the figures of epochs compare; evaluation proper uses all images.

    Args:
      evaluators: what to measure; those that need labels are left out without them.
      bank: images that classifiers learn from, or None where there are none.
      queries: images to measure, other ones.
      image_size: side that the encoder sees in pixels, or height and width.
      augmenter: makes two views of each query.

    Attributes:
      queries: number of images measured.
    """

    def __init__(
        self,
        evaluators: Sequence[Evaluator],
        bank: Source | None,
        queries: Source,
        image_size: ImageSize,
        augmenter: SimCLRAugmenter,
    ) -> None:
        sources = [bank, queries]
        labelled = all(each is not None and each.num_classes for each in sources)
        self.evaluators = [e for e in evaluators if labelled or not e.needs_labels]
        self.queries = min(len(queries), QUERIES)
        self._sources = bank, queries
        self._image_size = image_size
        self._labelled = labelled
        self._augmenter = augmenter

    @property
    def shown(self) -> Mapping[str, str]:
        """Short names of some values, for a line of progress."""
        return {k: v for each in self.evaluators for k, v in each.shown.items()}

    def run(
        self, model: Any, also: Sequence[Evaluator] = (), *, alone: bool = False
    ) -> tuple[dict[str, float], list[str]]:
        """Measures a `Learner`, or another encoder that `evaluation.encode` takes.

        The replicas of a Keras model encode together; all workers must call this.

        Args:
          model: what is measured.
          also: further evaluators, this time; one whose values are measured already
            is left out.
          alone: whether those are the only ones.

        Returns:
          Values by name, NaN where a feature is; and warnings, a line each.
        """
        evaluators = self._with(also, alone)
        if not evaluators:
            return {}, []
        query_h, query_y = _encode(model, self._queries)
        bank_h, bank_y = query_h[:0], query_y[:0]
        if self._bank is not None:
            bank_h, bank_y = _encode(model, self._bank)
        views_h = views_z = None
        if any(evaluator.needs_views for evaluator in evaluators):
            views_h = np.stack([_encode(model, views)[0] for views in self._views])
            views_z = _projections(model, views_h)
        found = [h for h in (bank_h, query_h, views_h) if h is not None]
        if not all(np.isfinite(h).all() for h in found):
            return {n: np.nan for e in evaluators for n in e.measures}, []
        encoded = Encoded(bank_h, bank_y, query_h, query_y, views_h, views_z)
        values: dict[str, float] = {}
        warnings = []
        for evaluator in evaluators:
            own, warning = evaluator.measure(encoded)
            values.update(own)
            warnings += [warning] if warning else []
        return values, warnings

    # Made at the first measurement: a reader of files takes seconds to trace.

    @functools.cached_property
    def _bank(self) -> tf.data.Dataset | None:
        bank, _ = self._sources
        return None if bank is None else _sample(bank, BANK_SIZE, self._image_size)

    @functools.cached_property
    def _queries(self) -> tf.data.Dataset:
        return _sample(self._sources[1], QUERIES, self._image_size)

    @functools.cached_property
    def _views(self) -> list[tf.data.Dataset]:
        return _two_views(self._queries, self._augmenter)

    def _with(self, also: Sequence[Evaluator], alone: bool) -> list[Evaluator]:
        """The evaluators of a measurement."""
        found = [] if alone else [*self.evaluators]
        measured = {name for each in found for name in each.measures}
        for each in also:
            if self._labelled or not each.needs_labels:
                found += [] if measured & {*each.measures} else [each]
        return found


def _encode(model: Any, batches: tf.data.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Representations and labels, -1 where there are none."""
    strategy = getattr(model, "distribute_strategy", None)
    h, labels = encode(model, batches, strategy=strategy)
    return h, np.full(len(h), -1) if labels is None else labels


def _projections(model: Any, views_h: np.ndarray) -> np.ndarray:
    method = getattr(model, "method", None)
    if method is None or not method.projects:
        return views_h
    h = views_h.reshape(-1, views_h.shape[-1])
    z = model.projection_head(tf.constant(h), training=False)
    return np.asarray(z, np.float32).reshape(*views_h.shape[:2], -1)


def _sample(source: Source, count: int, image_size: ImageSize) -> tf.data.Dataset:
    """Evaluation batches of up to `count` images, kept in memory."""
    batches = evaluation_batches(
        source, batch_size=_BATCH, image_size=image_size, sample=count
    )
    return batches.cache()


def _two_views(
    batches: tf.data.Dataset, augmenter: SimCLRAugmenter
) -> list[tf.data.Dataset]:
    """Two augmented views of each image, the same each time, a dataset of each."""

    def views(number: tf.Tensor, batch: dict[str, tf.Tensor]) -> tf.Tensor:
        images = batch["image"]
        index = number * _BATCH + tf.range(tf.shape(images)[0], dtype=tf.int64)
        return augmenter.two_views(images, randomness.example_seeds(0, 0, index))

    # Kept, since making them takes longer than encoding them.
    both = batches.enumerate().map(views, num_parallel_calls=tf.data.AUTOTUNE).cache()
    return [both.map(lambda pair, i=i: {"image": pair[:, i]}) for i in (0, 1)]
