"""A Keras model that computes its loss and its metrics itself."""

from __future__ import annotations

import warnings
from typing import Any

import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.model.batch import Batch
from simclr_tf.model.checked_model import CheckedModel
from simclr_tf.model.measures import Measures


class MeasuredModel(CheckedModel):
    """A model whose metrics are the means of its `Measures`, and not Keras' own."""

    _measures: Measures

    @property
    def metrics(self) -> list[tf.keras.metrics.Metric]:
        return self._measures.means

    @property
    def metrics_of_labels(self) -> frozenset[str]:
        """Names of the metrics that are NaN where no image has a label."""
        return self._measures.of_labels

    def reset_metrics(self) -> None:
        """Begins all means, and the places of evaluated images, anew."""
        super().reset_metrics()
        self._measures.reset()

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: None = None,
        metrics: None = None,
        loss_weights: None = None,
        weighted_metrics: None = None,
        **kwargs: Any,
    ) -> None:
        """As Keras' own, without losses and metrics.

        Raises:
          UserError: where a loss or metrics are given.
        """
        if loss is not None or loss_weights is not None:
            raise UserError(
                f"{type(self).__name__} computes its loss itself, that of its method: "
                "leave loss and loss_weights out of compile(). What can be set are "
                f"arguments of {type(self).__name__}, such as temperature."
            )
        if metrics or weighted_metrics:
            raise UserError(
                f"{type(self).__name__} computes its metrics itself: leave metrics and "
                "weighted_metrics out of compile(). The model reports "
                f"{', '.join(metric.name for metric in self.metrics)}; others are for "
                "a callback to compute, from model.predict()."
            )
        super().compile(optimizer, **kwargs)

    def compile_from_config(self, config: dict) -> None:
        """Compiles a loaded model; Keras leaves that to whoever overrides `compile`."""
        self.compile(**tf.keras.saving.deserialize_keras_object(config))
        if self.built and hasattr(self.optimizer, "build"):
            self.optimizer.build(self.trainable_variables)

    def evaluate(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        """As Keras' own; batches of one image count for the probe alone.

        Raises:
          UserError: as `fit`, or where every batch has one image.
        """
        results = super().evaluate(x, *args, **kwargs)
        images, alone = (int(count) for count in self._measures.evaluated.numpy())
        if alone and alone == images:
            raise UserError(
                "Every batch holds one image, which has no negatives to be compared "
                "with: evaluate in batches of two or more."
            )
        if alone:
            warnings.warn(
                f"{alone} of the batches evaluated hold one image, which has no "
                "negatives: loss and contrastive metrics leave it out.",
                stacklevel=2,
            )
        return results

    def _update_metrics(
        self,
        values: dict[str, tf.Tensor],
        batch: Batch,
        rows: tf.Tensor | None = None,
    ) -> None:
        """Adds a batch; `rows` are the images of each replica if they may differ."""
        images = tf.shape(batch.inputs)[0]
        labelled = images
        if batch.labels is not None:
            labelled = tf.math.count_nonzero(batch.labels >= 0)
        self._measures.update(values, images, labelled, rows)

    def _results(self) -> dict[str, tf.Tensor]:
        return {metric.name: metric.result() for metric in self.metrics}
