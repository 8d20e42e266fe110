"""Random flips: left to right, and top to bottom."""

from __future__ import annotations

from typing import ClassVar

import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation.base import (
    StatelessAugmentation,
    Transformations,
    per_image,
    require_probability,
)


class RandomFlip(StatelessAugmentation, abstract=True):
    """Mirrors each image along one axis with a given probability.

    A subclass says which axis of images `[B, H, W, C]` it reverses.

    Args:
      probability: share of images mirrored, in [0, 1].
      seed: see `StatelessAugmentation`.
      **kwargs: of `StatelessAugmentation`.
    """

    axis: ClassVar[int]

    def __init__(
        self, probability: float = 0.5, *, seed: int | None = None, **kwargs
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self.probability = require_probability("probability", probability)

    def sample(self, seeds: tf.Tensor, sizes: tf.Tensor) -> Transformations:
        """`{"flip": bool [B]}`."""
        draw = randomness.uniform(seeds, self.stream, 1)[:, 0]
        return {"flip": draw < self.probability}

    def augment_images(
        self, images: tf.Tensor, transformations: Transformations, **_: object
    ) -> tf.Tensor:
        """Images `[B, H, W, C]` to the same shape."""
        flip = per_image(transformations["flip"])
        return tf.where(flip, tf.reverse(images, axis=[self.axis]), images)

    def get_config(self) -> dict:
        return {**super().get_config(), "probability": self.probability}


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class RandomHorizontalFlip(RandomFlip):
    """Mirrors each image left to right with a given probability; see `RandomFlip`.

    Examples:
      >>> flip = simclr_tf.augmentation.RandomHorizontalFlip(1.0)
      >>> flip(tf.constant([[[[0.0], [0.5], [1.0]]]]))[0, 0, :, 0].numpy().tolist()
      [1.0, 0.5, 0.0]
    """

    stream = 1
    axis = 2


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class RandomVerticalFlip(RandomFlip):
    """Mirrors each image top to bottom with a given probability; see `RandomFlip`.

    For images without an up and down, such as those of microscopes and satellites.

    Examples:
      >>> flip = simclr_tf.augmentation.RandomVerticalFlip(1.0)
      >>> flip(tf.constant([[[[0.0]], [[0.5]], [[1.0]]]]))[0, :, 0, 0].numpy().tolist()
      [1.0, 0.5, 0.0]
    """

    axis = 1
