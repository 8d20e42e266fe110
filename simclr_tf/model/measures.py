"""The running means that a model reports, and the count of images evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from simclr_tf.distribution.replicas import num_replicas

_NAN = float("nan")


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class _Mean(tf.keras.metrics.Mean):
    """A mean that Keras does not save with the weights.

    Keras would save it, and set it again when the model is loaded, which raises a
    TypeError under a strategy.
    """

    def save_own_variables(self, store: Any) -> None:
        """Saves nothing."""

    def load_own_variables(self, store: Any) -> None:
        """Loads nothing, also from files that hold metrics."""


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class _MeanOfLabels(_Mean):
    """A mean over labelled images; NaN, and not Keras' 0, where there were none."""

    def result(self) -> tf.Tensor:
        mean = tf.math.divide_no_nan(self.total, self.count)
        return tf.where(self.count > 0, mean, _NAN)


class Measures:
    """Means over the images, or labelled images, of all batches and replicas.

    It is not a Keras object, because Keras would count its variables among the model's
    weights.

    Args:
      of_images: names of means over images.
      of_labels: names of means over labelled images, NaN where there were none.
      needs_two: whether a batch of one image has no negatives, and counts for the
        probe only.
    """

    def __init__(
        self,
        of_images: Sequence[str],
        of_labels: Sequence[str] = (),
        *,
        needs_two: bool = True,
    ) -> None:
        self._needs_two = needs_two
        self.of_labels = frozenset(of_labels)
        self.means = [
            *(_Mean(name) for name in of_images),
            *(_MeanOfLabels(name) for name in of_labels),
        ]
        # [images evaluated, batches of a single image among them]
        self.evaluated = tf.Variable(
            tf.zeros([2], tf.int64),
            trainable=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
            name="evaluated",
        )

    def update(
        self,
        values: dict[str, tf.Tensor],
        images: tf.Tensor,
        labelled: tf.Tensor,
        rows: tf.Tensor | None = None,
    ) -> None:
        """Adds a replica's share of a batch.

        Args:
          values: a scalar for each mean.
          images: scalar, the number of images in the share.
          labelled: scalar, the number of known labels in the share.
          rows: int64 `[R]`, the images of each replica; None where all have as many.
        """
        compared = images
        if self._needs_two:
            compared = tf.where(images * num_replicas() > 1, images, 0)
        for mean in self.means:
            weight = labelled if mean.name in self.of_labels else compared
            if mean.name == "loss" and rows is not None:
                # The mean of all replicas' losses is that of the batch, see `learn`.
                whole = tf.cast(tf.reduce_sum(rows), values["loss"].dtype)
                weight = tf.where(compared > 0, whole / num_replicas(), 0)
            # Without negatives a loss may be infinite, and times 0 no number.
            value = tf.where(weight > 0, values[mean.name], 0)
            mean.update_state(value, sample_weight=weight)

    def of_step(self, values: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """What each mean would be of one batch; its mean over replicas is that of all.

        Args:
          values: as in `update`; those named `share_of_…` go before others, and
            `labelled`, the known labels of all replicas, makes NaN of the rest.
        """
        own = {
            mean.name: values.get(f"share_of_{mean.name}", values[mean.name])
            for mean in self.means
        }
        if "labelled" in values:
            known = values["labelled"] > 0
            for name in self.of_labels:
                own[name] = tf.where(known, own[name], _NAN)
        return own

    def count_evaluated(self, images: tf.Tensor) -> None:
        """Counts a batch of evaluation: int64 `[R]`, the images of each replica."""
        images = tf.reduce_sum(images)
        alone = tf.cast((images == 1) & self._needs_two, tf.int64)
        self.evaluated.assign_add(tf.stack([images, alone]))

    def reset(self) -> None:
        """Resets the count of evaluated images to zero; Keras resets the means."""
        self.evaluated.assign(tf.zeros([2], tf.int64))
