"""A Keras model from the data of a batch to representations of its views."""

from __future__ import annotations

import contextlib
from typing import Any

import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation import OwnViews, known_in_range, to_unit_range
from simclr_tf.distribution.replicas import replica_index, rows_of_replicas
from simclr_tf.errors import UserError
from simclr_tf.methods import Method
from simclr_tf.model.batch import Batch, images_spec, unpack
from simclr_tf.model.examined_views import examine
from simclr_tf.model.random_layers import drawing_from


class ViewEncoder(tf.keras.Model):
    """The part of a `Learner` that makes views of a batch and represents them.

    Attributes:
      encoder: a Keras model from images to `[B, D]` or `[B, h, w, D]`.
      projection_head: a Keras layer, whose random layers draw from the same seeds.
      method: which views it learns from.
      augmenter: makes views where the data holds images; None where it holds views.
      seed: of views and random layers.
    """

    encoder: tf.keras.Model
    projection_head: tf.keras.layers.Layer
    method: Method
    augmenter: Any
    seed: int

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Images `[B, H, W, C]` to representations `[B, D]`."""
        features = self.encoder(
            to_unit_range(images, tf.keras.backend.floatx()), training=training
        )
        if features.shape.rank == 4:
            features = tf.reduce_mean(features, axis=[1, 2])
        return tf.cast(features, tf.keras.backend.floatx())

    def look_at(self, data: Any) -> None:
        """Finds out what an augmentation of the user's own does, see `examine`."""
        images = images_spec(data)
        if images is not None and isinstance(self.augmenter, OwnViews):
            strategy = self.distribute_strategy
            if self.value_range is not None:
                images = tf.TensorSpec(images.shape, tf.keras.backend.floatx())
            examine(self.augmenter, images, strategy=strategy, eager=self.run_eagerly)

    def predict_step(self, data: Any) -> tf.Tensor:
        """Representations of a batch of images."""
        images = unpack(data, views=self.method.num_views).images
        if images is None:
            raise UserError('predict needs images; the data holds only "views".')
        with known_in_range():
            return self(images, training=False)

    def _batch(
        self, data: Any, step: tf.Tensor, evaluated: tf.Tensor | None = None
    ) -> Batch:
        """A batch with views, or with images and the seeds of their views.

        `evaluated` is the number of images evaluated before, None while training. All
        images of an evaluation count as those of one step, and its last batch may be
        shared unequally among replicas.
        """
        first = 0 if evaluated is None else evaluated
        batch, draws = unpack(data, views=self.method.num_views), self.method.draws
        if batch.views is None and self.augmenter is None:
            raise UserError(
                f"The data holds images, and {type(self).__name__} was made without an "
                "augmenter. Pass augmenter=SimCLRAugmenter(image_size), or data with "
                f'{{"views": [B, {self.method.num_views}, H, W, C]}}.'
            )
        if batch.views is not None and draws and batch.seeds is None:
            raise UserError(
                f'{type(self.method).__name__} needs "seeds" beside "views": those '
                "that arrange() was given."
            )
        if batch.views is not None and not draws:
            return batch
        if batch.seeds is not None:
            return self._with_own_views(batch, step, first)
        local = tf.shape(batch.inputs, tf.int64)[0]
        if evaluated is None:
            before = tf.cast(replica_index(), tf.int64) * local
        else:
            rows = rows_of_replicas(batch.inputs)
            before = evaluated + tf.reduce_sum(rows[: replica_index()])
        index = before + tf.range(local)
        seeds = randomness.example_seeds(self.seed, step, index)
        return self._with_own_views(batch._replace(seeds=seeds), step, first)

    def _with_own_views(
        self, batch: Batch, step: tf.Tensor, first: int | tf.Tensor
    ) -> Batch:
        """The batch with its views, where an `OwnViews` makes them.

        A step may look at images twice, and it would draw other views then.
        """
        if batch.views is not None or not isinstance(self.augmenter, OwnViews):
            return batch
        with self._drawing(step, first):
            views = self._drawn_views(batch)
        return batch._replace(views=self.method.arrange(views, batch.seeds))

    def _drawing(
        self, step: tf.Tensor, micro_batch: int | tf.Tensor = 0
    ) -> contextlib.AbstractContextManager[None]:
        """Lets random layers draw from (seed, step, replica, micro-batch)."""

        def seed() -> tf.Tensor:
            index = -1 - replica_index()  # No image has a negative index.
            return randomness.fold_in(
                randomness.example_seeds(self.seed, step, index), micro_batch
            )

        drawing = [self.encoder, self.projection_head]
        if isinstance(self.augmenter, OwnViews):
            drawing.append(self.augmenter)
        return drawing_from(seed, drawing)

    def _view_shape(self, batch: Batch) -> list[int | None]:
        if batch.views is not None:
            return batch.views.shape[2:].as_list()
        size = self.augmenter.image_size
        return [size, size, batch.inputs.shape[-1]]

    def _represent(self, batch: Batch, training: bool) -> tf.Tensor:
        """Representations `[V * n, D]`: first all first views, then all second."""
        views = batch.views
        with known_in_range():  # See `CheckedModel`.
            if views is None:
                views = self._drawn_views(batch)
                views = self.method.arrange(views, batch.seeds)
            images = tf.concat(tf.unstack(views, self.method.num_views, axis=1), axis=0)
            return self._for_method(self(images, training=training), images)

    def _for_method(self, features: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
        """What the method is given of images: their representations `[n, D]`."""
        del images  # A subclass may look at them.
        return features

    def _drawn_views(self, batch: Batch) -> tf.Tensor:
        if batch.crops is not None:
            return self.augmenter.views_of_crops(batch.crops, batch.seeds, batch.sizes)
        given = batch.images, batch.seeds
        if self.method.drawn == 2:  # An augmenter of the user's may know no more.
            return self.augmenter.two_views(*given, sizes=batch.sizes)
        return self.augmenter.views(*given, sizes=batch.sizes, count=self.method.drawn)
