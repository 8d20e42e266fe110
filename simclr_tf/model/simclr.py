"""SimCLR as a Keras model."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from simclr_tf.methods import NTXentMethod
from simclr_tf.model.learner import Learner, parts_from_config


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class SimCLR(Learner):
    """Contrastive learning of an encoder (SimCLR, section 2).

    `model(images)` gives representations `h` `[B, D]` in Keras' `floatx`;
    training compares projections of two views of each image. `fit` takes
    batches of `images`, `(images, labels)`, `{"image": …, "label": …}` or
    `{"views": [B, 2, H, W, C], "label": …}`. Images have any number of channels C, and
    are uint8, uint16, floating point in [0, 1] or of a stated `value_range`. Labels,
    integers `[B]`, serve the probe alone; -1 is unlabelled. Dicts may also hold
    `"seeds"` and `"size"`, for `SimCLRAugmenter.two_views`.

    `fit`, `evaluate` and `predict` refuse other dtypes and values; of a
    `tf.distribute.DistributedDataset` they check the values of the first batch only.

    Metrics: `loss`, `contrastive_loss`, `contrastive_accuracy`,
    `contrastive_entropy` and, with a probe, `probe_loss`, `probe_accuracy`, which
    are means over the labelled images.

    Views made in the step, and the draws of random layers in encoder and head, such as
    Keras' Dropout and keras-cv's DropPath, depend on (seed, step) and the replica
    alone. In `evaluate` the views of an image depend on its place in the data, whatever
    the batch size.

    Examples:
      >>> model = simclr_tf.SimCLR(
      ...     simclr_tf.ResNet(18, width_multiplier=0.25, cifar_stem=True),
      ...     simclr_tf.ProjectionHead(num_layers=2),
      ...     augmenter=simclr_tf.augmentation.SimCLRAugmenter(24, blur=False),
      ... )
      >>> model.compile(simclr_tf.LARS(0.3))  # model.fit(images, batch_size=64) learns
      >>> model(tf.random.uniform([2, 32, 32, 3])).shape
      TensorShape([2, 128])

    Args:
      encoder: a Keras model from images, floating point in [0, 1], to `[B, D]`
        or `[B, h, w, D]`; the latter is averaged over h and w.
      projection_head: a Keras layer from `h` to projections `[B, d]`.
      augmenter: makes views inside the step where the data holds images: a
        `SimCLRAugmenter`, or any Keras or keras-cv layer, `Sequential` or function of
        images, of which two calls give two views. `augmentation.OwnViews` says what is
        lost with those: seeds, and for many of them resuming to the bit.
      temperature: of the loss, > 0.
      loss_scale: what the contrastive loss is multiplied by before it is
        differentiated; 2 reproduces the published code.
      num_classes: classes of the online linear probe, or None for no probe. It
        learns from stopped gradients, with the model's optimizer.
      block_size: of `nt_xent`.
      micro_batches: micro-batches that a batch is trained in, see `Learner`.
      value_range: the values of black and white in the data's images, where their
        dtype does not say it, see `Learner`.
      seed: of the views made inside the step, and of random layers.
      **kwargs: of `tf.keras.Model`.

    Raises:
      UserError: where an argument is out of its range, or the encoder is one that
        expects images in another range than [0, 1]; see `make_encoder`.
    """

    method: NTXentMethod

    def __init__(
        self,
        encoder: tf.keras.Model,
        projection_head: tf.keras.layers.Layer,
        *,
        augmenter: Any = None,
        temperature: float = 0.1,
        loss_scale: float = 1.0,
        num_classes: int | None = None,
        block_size: int | None = None,
        micro_batches: int = 1,
        value_range: tuple[float, float] | None = None,
        seed: int = 0,
        **kwargs,
    ) -> None:
        super().__init__(
            encoder,
            projection_head,
            NTXentMethod(temperature, loss_scale, block_size),
            augmenter=augmenter,
            num_classes=num_classes,
            micro_batches=micro_batches,
            value_range=value_range,
            seed=seed,
            **kwargs,
        )

    @property
    def temperature(self) -> float:
        return self.method.temperature

    @temperature.setter
    def temperature(self, value: float) -> None:
        self.method.temperature = value

    @property
    def loss_scale(self) -> float:
        return self.method.loss_scale

    @loss_scale.setter
    def loss_scale(self, value: float) -> None:
        self.method.loss_scale = value

    @property
    def block_size(self) -> int | None:
        return self.method.block_size

    @block_size.setter
    def block_size(self, value: int | None) -> None:
        self.method.block_size = value

    def get_config(self) -> dict:
        config = super().get_config()
        del config["method"]
        return {**config, **self.method.get_config()}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> SimCLR:
        return cls(**parts_from_config(config, custom_objects))
