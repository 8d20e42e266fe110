"""Random solarization."""

from __future__ import annotations

import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation.base import (
    Drawn,
    StatelessAugmentation,
    Transformations,
    per_image,
    require_probability,
)


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class RandomSolarize(StatelessAugmentation):
    """Inverts bright pixels with a given probability (BYOL, Grill et al. 2020).

    Examples:
      >>> solarize = simclr_tf.augmentation.RandomSolarize(1.0, threshold=0.5)
      >>> solarize(tf.constant([[[[0.25], [0.75]]]])).numpy().ravel().tolist()
      [0.25, 0.25]

    Args:
      probability: share of images solarized, in [0, 1].
      threshold: values from it on are inverted, in [0, 1].
      seed: see `StatelessAugmentation`.
      **kwargs: of `StatelessAugmentation`.
    """

    moves_pixels = False

    def __init__(
        self,
        probability: float = 0.2,
        threshold: float = 0.5,
        *,
        seed: int | None = None,
        **kwargs,
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self.probability = require_probability("probability", probability)
        self.threshold = require_probability("threshold", threshold)

    def sample(self, seeds: tf.Tensor, sizes: tf.Tensor) -> Transformations:
        """`{"solarize": bool [B]}`."""
        draw = randomness.uniform(seeds, self.stream, 1)[:, 0]
        return {"solarize": draw < self.probability}

    def augment_images(
        self, images: tf.Tensor, transformations: Transformations, **_: object
    ) -> tf.Tensor:
        """Images `[B, H, W, C]` in [0, 1] to the same."""
        inverted = per_image(transformations["solarize"]) & (images >= self.threshold)
        return tf.where(inverted, 1.0 - images, images)

    def describe(self, drawn: Drawn, shape: tuple[int, int, int]) -> str:
        return f"from {self.threshold:g} on"

    def get_config(self) -> dict:
        settings = {"probability": self.probability, "threshold": self.threshold}
        return {**super().get_config(), **settings}
