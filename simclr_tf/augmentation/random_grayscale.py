"""Random conversion to greyscale."""

from __future__ import annotations

import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation import color
from simclr_tf.augmentation.base import (
    StatelessAugmentation,
    Transformations,
    per_image,
    require_probability,
    require_rgb,
)
from simclr_tf.augmentation.loops import change_if


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class RandomGrayscale(StatelessAugmentation):
    """Takes the colour out of images with a given probability (appendix A).

    Images of one channel are grey as they are. Those of two, or of four and more, have
    no grey version, and are refused.

    Examples:
      >>> gray = simclr_tf.augmentation.RandomGrayscale(1.0)
      >>> red, green, blue = tf.unstack(gray(tf.random.uniform([4, 8, 8, 3])), axis=-1)
      >>> bool(tf.reduce_all((red == green) & (green == blue)))
      True

    Args:
      probability: share of images made grey, in [0, 1].
      seed: see `StatelessAugmentation`.
      **kwargs: of `tf.keras.layers.Layer`.

    Raises:
      UserError: if images have neither one channel nor three.
    """

    stream = 3
    moves_pixels = False

    def __init__(
        self, probability: float = 0.2, *, seed: int | None = None, **kwargs
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self.probability = require_probability("probability", probability)

    def sample(self, seeds: tf.Tensor, sizes: tf.Tensor) -> Transformations:
        """`{"gray": bool [B]}`."""
        draw = randomness.uniform(seeds, self.stream, 1)[:, 0]
        return {"gray": draw < self.probability}

    def augment_images(
        self, images: tf.Tensor, transformations: Transformations, **_: object
    ) -> tf.Tensor:
        """Images `[B, H, W, 3]` or `[B, H, W, 1]` to the same shape."""
        if images.shape[-1] == 1:
            return images
        require_rgb(images, self)
        gray = per_image(transformations["gray"])
        return tf.where(gray, color.to_grayscale(images), images)

    def augment_one(
        self, image: tf.Tensor, transformations: Transformations
    ) -> tf.Tensor:
        """See `StatelessAugmentation`."""
        if image.shape[2] == 1:
            return image
        return change_if(
            transformations["gray"][0],
            lambda image: color.to_grayscale(image, channels=2),
            image,
        )

    def get_config(self) -> dict:
        return {**super().get_config(), "probability": self.probability}
