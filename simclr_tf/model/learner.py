"""Learning of an encoder by a method, as a Keras model."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from simclr_tf.augmentation import as_augmenter
from simclr_tf.augmentation.value_range import parse_value_range
from simclr_tf.autograph import converted
from simclr_tf.distribution.replicas import (
    num_replicas,
    of_equal_shares,
    rows_of_replicas,
)
from simclr_tf.encoder.keras_applications import require_unit_range
from simclr_tf.errors import UserError
from simclr_tf.methods import Method
from simclr_tf.model.batch import Batch
from simclr_tf.model.gradient_cache import gradients_of_batch
from simclr_tf.model.measured_model import MeasuredModel
from simclr_tf.model.measures import Measures
from simclr_tf.model.optimizer_step import (
    apply_gradients,
    minimize,
    scaled,
    unscaled,
)
from simclr_tf.model.probe import make_probe, probe_values
from simclr_tf.model.view_encoder import ViewEncoder

# The step in the seeds of evaluation. No training step has it.
_EVALUATION = -1


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class Learner(ViewEncoder, MeasuredModel):
    """Learning of an encoder by a method.

    `model(images)` gives representations `h` `[B, D]` in Keras' `floatx`; training
    minimises the method's objective. `fit` takes batches of `images`, `(images,
    labels)`, `{"image": …, "label": …}` or `{"views": [B, V, H, W, C], "label": …}`, V
    views of each image as the method arranges them. Images have any number of channels
    C, and are uint8, uint16, floating point in [0, 1] or of a stated `value_range`.
    Labels, integers `[B]`, serve the probe, and methods that learn from them; -1 is
    unlabelled. Dicts may also hold `"seeds"` and `"size"`, for
    `SimCLRAugmenter.views`; with both, `"crops"` in place of images are for its
    `views_of_crops`.

    `fit`, `evaluate` and `predict` refuse other dtypes and values; of a
    `tf.distribute.DistributedDataset` they check the values of the first batch only.

    Metrics: `loss`, what the method measures and, with a probe, `probe_loss`,
    `probe_accuracy`, which are means over the labelled images; NaN of none.

    Views made in the step, and the draws of random layers in encoder and head, such as
    Keras' Dropout and keras-cv's DropPath, depend on (seed, step) and the replica
    alone. In `evaluate` the views of an image depend on its place in the data, whatever
    the batch size.

    Examples:
      >>> method = simclr_tf.methods.method_class("rotation")()
      >>> model = simclr_tf.Learner(
      ...     simclr_tf.ResNet(18, width_multiplier=0.25, cifar_stem=True),
      ...     method.make_head(layers=2, hidden_dim=None, out_dim=128),
      ...     method,
      ... )
      >>> model(tf.random.uniform([2, 32, 32, 3])).shape
      TensorShape([2, 128])

    Args:
      encoder: a Keras model from images, floating point in [0, 1], to `[B, D]`
        or `[B, h, w, D]`; the latter is averaged over h and w.
      projection_head: a Keras layer between `h` and the objective, see
        `Method.project`.
      method: what is learned from the views.
      augmenter: makes views inside the step where the data holds images: a
        `SimCLRAugmenter`, or any Keras or keras-cv layer, `Sequential` or function of
        images; `augmentation.OwnViews` says what is lost with those.
      num_classes: classes of the online linear probe, or None for no probe. It
        learns from stopped gradients, with the model's optimizer.
      micro_batches: micro-batches that a batch is trained in, one after the other,
        for batches whose activations do not fit in memory. The gradient is that of
        the whole batch's loss. Batch norm in the encoder takes its statistics over
        a micro-batch (of all replicas), and its moving averages move by the mean
        over micro-batches; the projection head's are those of the whole batch. It
        costs another forward pass. Statistics of the whole batch would take a
        forward and a backward pass for each batch norm layer;
        `ResNet(rematerialize=True)` saves memory and keeps them. Penalties that
        layers of encoder and head add count, those that are added to the model
        itself do not.
      value_range: the values of black and white in the images that `fit`, `evaluate`
        and `predict` are given, where their dtype does not say it: (0, 4095) of 12 bits
        in uint16. They are brought to [0, 1], in which the model itself, and what is
        exported, take images. The same holds for views made beforehand.
      seed: of the views made inside the step, and of random layers.
      **kwargs: of `tf.keras.Model`.

    Raises:
      UserError: where an argument is out of its range, or the encoder is one that
        expects images in another range than [0, 1]; see `make_encoder`.
    """

    def __init__(
        self,
        encoder: tf.keras.Model,
        projection_head: tf.keras.layers.Layer,
        method: Method,
        *,
        augmenter: Any = None,
        num_classes: int | None = None,
        micro_batches: int = 1,
        value_range: tuple[float, float] | None = None,
        seed: int = 0,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.value_range = value_range and parse_value_range(value_range)
        if num_classes is not None and num_classes < 2:
            raise UserError(
                f"num_classes must be at least 2 or None, got {num_classes}."
            )
        if micro_batches < 1:
            raise UserError(f"micro_batches must be at least 1, got {micro_batches}.")
        require_unit_range(encoder)
        self.encoder = encoder
        self.projection_head = projection_head
        self.method = method
        self.augmenter = as_augmenter(augmenter)
        self.num_classes = num_classes
        self.micro_batches = micro_batches
        self.seed = seed
        self.probe: Any = None
        if num_classes is not None:
            self.probe = make_probe(num_classes)
        of_images = ["loss", *([] if method.classifies else method.measures)]
        of_labels = [*method.measures] if method.classifies else []
        if self.probe is not None:
            of_labels += ["probe_loss", "probe_accuracy"]
        self._measures = Measures(
            of_images, of_labels, needs_two=method.compares_images
        )
        # Each replica reads the means of all. Keras would add them up over workers.
        self.distribute_reduction_method = "first"

    def build(self, input_shape: tf.TensorShape) -> None:
        """Makes all variables, for images of a shape `[B, H, W, C]`."""
        shape = [size or 32 for size in tf.TensorShape(input_shape).as_list()[1:]]
        images = tf.keras.Input(shape)
        # Inference, because batch norm in training is a collective of all replicas.
        features = self._for_method(self.call(images, training=False), images)
        self._feature_dim = features.shape[-1]
        several = tf.repeat(features, self.method.num_views, axis=0)
        self.method.project(self.projection_head, several, training=False)
        if self.probe is not None:
            self.probe(features)
        self.built = True
        self._build_input_shape = input_shape  # Keras builds a loaded model for it.

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """One step on a batch; see the class for what `data` may be."""
        self.learn(data)
        return self._results()

    def learn(self, data: Any) -> dict[str, tf.Tensor]:
        """`train_step` that gives the step's own values, and not the running means.

        Reading a metric is a collective of all replicas. A training loop that reads
        them now and then calls this instead.

        Returns:
          Scalars whose means over replicas are the values of the global batch: the
          metrics, by their names, those of labels NaN where no label is known; and
          `gradient_norm`, the norm of the whole batch's gradient, see
          `optimizer_step.apply_gradients`, where the optimizer lets it be known.
        """
        step = self.optimizer.iterations
        batch = self._batch(data, step)
        if self.micro_batches > 1:
            values, norm = self._learn_in_micro_batches(batch)
        else:
            with tf.GradientTape() as tape, self._drawing(step):
                values = self._compare(batch, training=True)
                # Keras sums gradients over replicas; our loss is their mean.
                loss = values["loss"] / num_replicas()
            norm = minimize(self.optimizer, loss, self.trainable_variables, tape)
        self._update_metrics(values, batch)
        own = self._measures.of_step(values)
        return own if norm is None else {**own, "gradient_norm": norm}

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """The loss and metrics of a batch in inference mode."""
        step = tf.constant(_EVALUATION, tf.int64)
        batch = self._batch(data, step, evaluated=self._measures.evaluated[0])
        with self._drawing(step):
            values = self._compare(batch, training=False)
        rows = rows_of_replicas(batch.inputs)
        self._update_metrics(values, batch, rows)
        self._measures.count_evaluated(rows)
        return self._results()

    def _compare(self, batch: Batch, training: bool) -> dict[str, tf.Tensor]:
        """Losses and metrics of this replica's views; `loss` is what is minimised."""
        features = self._represent(batch, training)
        values = self._compare_features(features, batch, training)
        return _with_losses(values, self.losses)

    def _compare_features(
        self, features: tf.Tensor, batch: Batch, training: bool
    ) -> dict[str, tf.Tensor]:
        """`_compare` of representations `[V * n, D]`, without layers' own losses."""
        method, labels = self.method, batch.labels
        alone = features.shape[0] == method.num_views and num_replicas() == 1
        if training and alone and method.compares_images:
            raise UserError(
                "A batch of one image has no negatives to learn from: give two or more."
            )
        if labels is None and method.learns_from_labels:
            raise UserError(
                f"{type(method).__name__} learns from labels, and the data holds none."
            )
        if training:  # In evaluation each image counts, whatever replica has it.
            features = of_equal_shares(features)
        projections = method.project(self.projection_head, features, training=training)
        values = converted(method.objective)(projections, labels, batch.seeds)
        loss = values.pop("loss")
        if self.probe is not None:
            if labels is None:
                raise UserError(
                    f"{type(self).__name__} has a probe of {self.num_classes} classes, "
                    "and the data holds no labels. Give labels, or num_classes=None."
                )
            logits = self.probe(tf.stop_gradient(features))
            probed = probe_values(logits, tf.tile(labels, [method.num_views]))
            loss += tf.cast(probed["share_of_probe_loss"], loss.dtype)
            values.update(probed)
        return {"loss": loss, **values}

    def _learn_in_micro_batches(
        self, batch: Batch
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor | None]:
        """A step that holds the activations of one micro-batch; values and norm."""
        step = tf.convert_to_tensor(self.optimizer.iterations)
        if not self.built:
            with tf.init_scope():
                self.build((None, *self._view_shape(batch)))
        count = self.micro_batches
        size = batch.micro_batch_size(count)
        shape = [self.method.num_views, size, self._feature_dim]

        def represent(index: tf.Tensor) -> tf.Tensor:
            micro_batch = batch.rows(index * size, size)
            with self._drawing(step, index):
                features = self._represent(micro_batch, training=True)
            return tf.reshape(features, shape)

        def compare(features: tf.Tensor) -> dict[str, tf.Tensor]:
            with self._drawing(step):
                values = self._compare_features(features, batch, training=True)
                return _with_losses(values, self.projection_head.losses)

        def scale(loss: tf.Tensor) -> tf.Tensor:
            return scaled(self.optimizer, loss)

        inner = self.encoder.trainable_variables
        known = {id(variable) for variable in inner}
        others = [v for v in self.trainable_variables if id(v) not in known]
        values, gradients = gradients_of_batch(
            self.encoder, represent, compare, scale, count, shape, others
        )
        pairs = zip(unscaled(self.optimizer, gradients), [*inner, *others])
        return values, apply_gradients(self.optimizer, pairs)

    def get_config(self) -> dict:
        serialize = tf.keras.layers.serialize
        return {
            **super().get_config(),
            "encoder": serialize(self.encoder),
            "projection_head": serialize(self.projection_head),
            "augmenter": self.augmenter and serialize(self.augmenter),
            "method": tf.keras.saving.serialize_keras_object(self.method),
            "num_classes": self.num_classes,
            "micro_batches": self.micro_batches,
            "value_range": self.value_range and list(self.value_range),
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Learner:
        config = parts_from_config(config, custom_objects)
        method = tf.keras.saving.deserialize_keras_object(
            config.pop("method"), custom_objects=custom_objects
        )
        return cls(method=method, **config)


def parts_from_config(config: dict, custom_objects: dict | None) -> dict:
    """A model's arguments, whose layers are made from their configurations."""
    config = dict(config)
    for part in ("encoder", "projection_head", "augmenter"):
        if config[part] is not None:
            config[part] = tf.keras.layers.deserialize(
                config[part], custom_objects=custom_objects
            )
    return config


def _with_losses(
    values: dict[str, tf.Tensor], losses: list[tf.Tensor]
) -> dict[str, tf.Tensor]:
    """Values whose `loss` counts what layers added."""
    if not losses:
        return values
    loss = values["loss"]
    return {**values, "loss": loss + tf.cast(tf.add_n(losses), loss.dtype)}
