"""A student that learns from a teacher's answers, as a Keras model."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from simclr_tf.head import ClassifierHead
from simclr_tf.methods.distillation import DistillationMethod
from simclr_tf.model.learner import Learner


class _Teacher:
    """Holds a model that Keras does not take for a part of another one.

    Its weights are then neither saved nor counted with the student's.
    """

    def __init__(self, model: Learner) -> None:
        self._model = model

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Logits `[n, K]` in inference mode, which teach the teacher nothing."""
        h = self._model(images, training=False)
        return tf.stop_gradient(self._model.projection_head(h, training=False))


class Distiller(Learner):
    """A classifier that learns from another one's logits (SimCLR v2, section 2.3).

    What the objective is given of an image is the representation and beside it the
    teacher's logits `[n, D + K]`, which `DistillationMethod` parts again. Replicas,
    micro-batches and resuming are thereby those of every `Learner`, and its variables
    are those of a `Learner` of the same encoder and head.

    Args:
      encoder: see `Learner`.
      projection_head: of the teacher's number of classes.
      method: what is minimised.
      teacher: a built `Learner` whose head is a `ClassifierHead`, made in the scope of
        the same strategy. It stays as it is.
      **kwargs: of `Learner`, without a probe.
    """

    def __init__(
        self,
        encoder: tf.keras.Model,
        projection_head: ClassifierHead,
        method: DistillationMethod,
        *,
        teacher: Learner,
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, projection_head, method, **kwargs)
        self._teach = _Teacher(teacher)

    def _for_method(self, features: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
        taught = tf.cast(self._teach(images), features.dtype)
        return tf.concat([features, taught], axis=1)
