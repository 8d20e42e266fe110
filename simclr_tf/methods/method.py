"""What every method says: which views it wants, which head, and what it minimises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import tensorflow as tf


class Method:
    """How an encoder learns from the views of a batch; settings, and no variables.

    A subclass says what follows in class attributes, and writes `objective`. It is
    registered with `tf.keras.utils.register_keras_serializable` and gives its settings
    in `get_config`. Replicas, micro-batches, the probe, resuming and the TPU program
    are the `Learner`'s.

    Examples:
      >>> simclr_tf.methods.method_class("rotation").learns_from_labels
      False

    Attributes:
      drawn: augmented views drawn of each image.
      num_views: views V that the encoder sees of each image, see `arrange`.
      measures: names of the scalars that `objective` returns beside "loss".
      shown: short names, for a line of progress, of some of them. None is called
        "loss": that is what is minimised, and counts more than the method's own.
      draws: whether `objective` draws at random, from seeds.
      projects: whether the head maps one representation to a projection of it, which
        an exported encoder then gives too.
      compares_images: whether a batch of one image teaches nothing.
      learns_from_labels: whether `objective` needs labels.
      classifies: whether the head is a classifier of the dataset's classes. Then
        `make_head` is given `num_classes` too, and `measures` are means over the
        labelled images.
      resizes: whether `arrange` gives views of another size than those drawn.
      least_side: least side of the views drawn, in pixels.
      needs_squares: whether the views drawn must be square.
    """

    drawn: int = 2
    num_views: int = 2
    measures: tuple[str, ...] = ()
    shown: ClassVar[Mapping[str, str]] = {}
    draws: bool = False
    projects: bool = False
    compares_images: bool = True
    learns_from_labels: bool = False
    classifies: bool = False
    resizes: bool = False
    least_side: int = 1
    needs_squares: bool = False

    @property
    def summary(self) -> str:
        """Its settings in a few words, for a person."""
        settings = (f"{k} {v:g}" for k, v in self.get_config().items() if v is not None)
        return ", ".join(settings)

    def make_head(self, *, layers: int, hidden_dim: int | None, out_dim: int) -> Any:
        """The Keras layer between representations and objective.

        A method that `classifies` takes `num_classes: int | None = None` as well.
        """
        raise NotImplementedError(f"{type(self).__name__} must define make_head().")

    def arrange(self, views: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
        """Drawn views `[n, drawn, h, w, C]` as the encoder sees them, `[n, V, …]`.

        Args:
          views: floating point in [0, 1].
          seeds: int32 `[n, 2]`, of which further draws may be made.
        """
        return views

    def project(
        self, head: tf.keras.layers.Layer, features: tf.Tensor, *, training: bool
    ) -> tf.Tensor:
        """Representations `[V * n, D]`, first all first views, through the head."""
        return head(features, training=training)

    def objective(
        self, projections: tf.Tensor, labels: tf.Tensor | None, seeds: tf.Tensor | None
    ) -> dict[str, tf.Tensor]:
        """What is minimised, and measures of it.

        In a replica context it sees this replica's images, and its mean over replicas
        is what is minimised: see `simclr_tf.distribution.replicas`.

        Args:
          projections: what `project` gives.
          labels: int32 `[n]`, -1 where unknown, or None.
          seeds: int32 `[n, 2]`, as `arrange` was given them; they may be None unless
            the method `draws`.

        Returns:
          The scalar "loss" and a scalar for each of `measures`, in float32 at least.
          Where replicas may know different numbers of labels, "share_of_…" a measure
          is what its mean over replicas is to be taken of.
        """
        raise NotImplementedError(f"{type(self).__name__} must define objective().")

    def chance(self, images: int, num_classes: int | None) -> dict[str, float]:
        """What a model that knows nothing has of `measures`; those that are known.

        Args:
          images: of the global batch, N.
          num_classes: of the data set, None where it has no labels.
        """
        del images, num_classes
        return {}

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Method:
        """The method of `get_config`."""
        return cls(**config)
