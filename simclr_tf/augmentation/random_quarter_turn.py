"""Random rotation by quarter turns."""

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
from simclr_tf.errors import UserError


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class RandomQuarterTurn(StatelessAugmentation):
    """Turns each image, with a given probability, by one, two or three quarters.

    For images without an up and down, such as those of microscopes and satellites.

    Examples:
      >>> turn = simclr_tf.augmentation.RandomQuarterTurn(1.0)
      >>> image = tf.reshape([0.0, 0.2, 0.4, 0.6], [1, 2, 2, 1])
      >>> bool(tf.reduce_all(turn(image) == image))
      False

    Args:
      probability: share of images turned, in [0, 1]; 0.75 makes all four turns
        equally frequent.
      seed: see `StatelessAugmentation`.
      **kwargs: of `StatelessAugmentation`.

    Raises:
      UserError: if images are not square.
    """

    def __init__(
        self, probability: float = 0.75, *, seed: int | None = None, **kwargs
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self.probability = require_probability("probability", probability)

    def sample(self, seeds: tf.Tensor, sizes: tf.Tensor) -> Transformations:
        """`{"turns": int32 [B]}`, quarter turns counterclockwise, 0 to 3."""
        draws = randomness.uniform(seeds, self.stream, 2)
        turns = 1 + tf.cast(3.0 * draws[:, 1], tf.int32)
        return {"turns": tf.where(draws[:, 0] < self.probability, turns, 0)}

    def augment_images(
        self, images: tf.Tensor, transformations: Transformations, **_: object
    ) -> tf.Tensor:
        """Images `[B, S, S, C]` to the same shape."""
        if images.shape[1] != images.shape[2]:
            raise UserError(
                f"{type(self).__name__} turns square images, got shape {images.shape}."
            )
        turns = per_image(transformations["turns"])
        across = tf.transpose(images, [0, 2, 1, 3])
        turned = tf.where(turns == 1, tf.reverse(across, [1]), images)
        turned = tf.where(turns == 2, tf.reverse(images, [1, 2]), turned)
        return tf.where(turns == 3, tf.reverse(across, [2]), turned)

    def describe(self, drawn: Drawn, shape: tuple[int, int, int]) -> str:
        return f"by {90 * int(drawn['turns'])} degrees"

    def get_config(self) -> dict:
        return {**super().get_config(), "probability": self.probability}
