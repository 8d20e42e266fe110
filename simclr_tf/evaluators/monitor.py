"""A sample of images, encoded now and then and shown to evaluators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation import SimCLRAugmenter
from simclr_tf.data import Source, evaluation_batches
from simclr_tf.evaluation import encode
from simclr_tf.evaluators.evaluator import Encoded, Evaluator

BANK_SIZE = 2000
QUERIES = 500
_BATCH = 250


class Monitor:
    """Evaluates an encoder on a sample of images, the same at each run.

    So the figures of epochs compare; evaluation proper uses all images.

    Args:
      evaluators: what to measure; those that need labels are left out without them.
      bank: images that classifiers learn from.
      queries: images to classify, other ones.
      image_size: side that the encoder sees, in pixels.
      augmenter: makes two views of each query.
    """

    def __init__(
        self,
        evaluators: Sequence[Evaluator],
        bank: Source,
        queries: Source,
        image_size: int,
        augmenter: SimCLRAugmenter,
    ) -> None:
        labelled = bank.num_classes is not None and queries.num_classes is not None
        self.evaluators = [e for e in evaluators if labelled or not e.needs_labels]
        self._bank = _sample(bank, BANK_SIZE, image_size)
        self._queries = _sample(queries, QUERIES, image_size)
        self._views = [_view(self._queries, augmenter, place) for place in (0, 1)]

    @property
    def shown(self) -> Mapping[str, str]:
        """Short names of some values, for a line of progress."""
        return {k: v for each in self.evaluators for k, v in each.shown.items()}

    def run(self, model: Any) -> tuple[dict[str, float], list[str]]:
        """Measures a `Learner`, or another encoder that `evaluation.encode` takes.

        Returns:
          Values by name, NaN where a feature is; and warnings, a line each.
        """
        if not self.evaluators:
            return {}, []
        bank_h, bank_y = _labelled(*encode(model, self._bank))
        query_h, query_y = _labelled(*encode(model, self._queries))
        views_h = np.stack([encode(model, views)[0] for views in self._views])
        if not all(np.isfinite(h).all() for h in (bank_h, query_h, views_h)):
            return {n: np.nan for e in self.evaluators for n in e.measures}, []
        encoded = Encoded(
            bank_h, bank_y, query_h, query_y, views_h, _projections(model, views_h)
        )
        values: dict[str, float] = {}
        for evaluator in self.evaluators:
            values.update(evaluator.measure(encoded))
        warnings = [evaluator.warning(encoded) for evaluator in self.evaluators]
        return values, [line for line in warnings if line]


def _labelled(
    h: np.ndarray, labels: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Without images labelled -1, unless none has a label."""
    if labels is None or not (labels >= 0).any():
        return h, None
    return h[labels >= 0], labels[labels >= 0]


def _projections(model: Any, views_h: np.ndarray) -> np.ndarray:
    method = getattr(model, "method", None)
    if method is None or not method.projects:
        return views_h
    h = views_h.reshape(-1, views_h.shape[-1])
    z = model.projection_head(tf.constant(h), training=False)
    return np.asarray(z, np.float32).reshape(*views_h.shape[:2], -1)


def _sample(source: Source, count: int, image_size: int) -> tf.data.Dataset:
    """Evaluation batches of up to `count` images, kept in memory."""
    batches = evaluation_batches(
        source, batch_size=_BATCH, image_size=image_size, sample=count
    )
    return batches.cache()


def _view(
    batches: tf.data.Dataset, augmenter: SimCLRAugmenter, place: int
) -> tf.data.Dataset:
    """One augmented view of each image, the same each time."""

    @tf.autograph.experimental.do_not_convert
    def view(number: tf.Tensor, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        images = batch["image"]
        index = number * _BATCH + tf.range(tf.shape(images)[0], dtype=tf.int64)
        seeds = randomness.fold_in(randomness.example_seeds(0, 0, index), place)
        return {"image": augmenter({"images": images, "seeds": seeds})["images"]}

    return batches.enumerate().map(view, num_parallel_calls=tf.data.AUTOTUNE)
