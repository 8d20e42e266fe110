"""The batches of a run, each replica's share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from simclr_tf.data import Source, pretrain_batches
from simclr_tf.model import Learner
from simclr_tf.training.settings import TrainingSettings


def replica_batches(
    settings: TrainingSettings,
    source: Source,
    model: Learner,
    *,
    start_step: int = 0,
    data_service: str | None = None,
) -> Iterator[Any]:
    """Endless batches for the replicas of a model, with views by its augmenter.

    Args:
      settings: of the run.
      source: images to learn from.
      model: that learns, made in the scope of its strategy.
      start_step: the first batch's step.
      data_service: see `pretrain_batches`.
    """

    def pipeline(context: tf.distribute.InputContext) -> tf.data.Dataset:
        return pretrain_batches(
            source,
            model.augmenter,
            on_device=settings.augment_on == "device",
            batch_size=settings.batch_size,
            seed=settings.seed,
            method=model.method,
            start_step=start_step,
            context=context,
            data_service=data_service,
        )

    strategy = model.distribute_strategy
    return iter(strategy.distribute_datasets_from_function(pipeline))
