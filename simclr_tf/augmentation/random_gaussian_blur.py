"""Random Gaussian blur."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation.base import (
    Drawn,
    StatelessAugmentation,
    Transformations,
    per_image,
    require_probability,
)
from simclr_tf.augmentation.loops import change_if, one_by_one
from simclr_tf.errors import UserError


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class RandomGaussianBlur(StatelessAugmentation):
    """Blurs images with a Gaussian of random width (appendix A).

    Sigma is uniform in `sigma`, in pixels. The kernel is cut at `kernel_size`
    and beyond the image's edge there is black, both as published. We differ in
    drawing a sigma per image; the published code draws one for the whole batch.

    Examples:
      >>> blur = simclr_tf.augmentation.RandomGaussianBlur(5, probability=1.0)
      >>> noise = tf.random.uniform([4, 32, 32, 3])
      >>> bool(tf.math.reduce_std(blur(noise)) < tf.math.reduce_std(noise))
      True

    Args:
      kernel_size: taps of the kernel, in pixels; an even number gets one more.
        A tenth of the image's height by default.
      sigma: least and greatest sigma, in pixels.
      probability: share of images blurred, in [0, 1].
      seed: see `StatelessAugmentation`.
      **kwargs: of `tf.keras.layers.Layer`.

    Raises:
      UserError: if an argument is out of its range.
    """

    stream = 4
    moves_pixels = False

    def __init__(
        self,
        kernel_size: int | None = None,
        *,
        sigma: tuple[float, float] = (0.1, 2.0),
        probability: float = 0.5,
        seed: int | None = None,
        **kwargs,
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        if kernel_size is not None and kernel_size < 1:
            raise UserError(f"kernel_size must be at least 1, got {kernel_size}.")
        if not 0.0 < sigma[0] <= sigma[1] < math.inf:
            raise UserError(f"sigma must satisfy 0 < least <= most, got {sigma}.")
        self.kernel_size = kernel_size
        self.sigma = tuple(sigma)
        self.probability = require_probability("probability", probability)

    def sample(self, seeds: tf.Tensor, sizes: tf.Tensor) -> Transformations:
        """`{"blur": bool [B], "sigma": floating [B]}`."""
        draws = randomness.uniform(seeds, self.stream, 2, self.compute_dtype)
        low, high = self.sigma
        return {
            "blur": draws[:, 0] < self.probability,
            "sigma": low + draws[:, 1] * (high - low),
        }

    def augment_images(
        self, images: tf.Tensor, transformations: Transformations, **_: object
    ) -> tf.Tensor:
        """Images `[B, H, W, C]`, static height, to the same shape."""
        radius = (self.kernel_size or images.shape[1] // 10) // 2
        blurred = gaussian_blur(_cut(images), transformations["sigma"], radius)
        return tf.where(per_image(transformations["blur"]), blurred, images)

    def augment_one(
        self, image: tf.Tensor, transformations: Transformations
    ) -> tf.Tensor:
        """See `StatelessAugmentation`."""
        radius = (self.kernel_size or image.shape[3] // 10) // 2
        return change_if(
            transformations["blur"][0],
            lambda image: _blur_one(_cut(image), transformations["sigma"], radius),
            image,
        )

    def describe(self, drawn: Drawn, shape: tuple[int, int, int]) -> str:
        return f"sigma {drawn['sigma']:.2f} px"

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "kernel_size": self.kernel_size,
            "sigma": list(self.sigma),
            "probability": self.probability,
        }


def _cut(images: tf.Tensor) -> tf.Tensor:
    """Clips the overshoot of a bicubic crop before the blur, as published."""
    return tf.clip_by_value(images, 0.0, 1.0)


def gaussian_blur(images: tf.Tensor, sigma: tf.Tensor, radius: int) -> tf.Tensor:
    """Separable Gaussian blur with a sigma per image, black beyond the edge.

    Args:
      images: floating point `[B, H, W, C]`.
      sigma: `[B]`, in pixels, > 0.
      radius: taps on either side of the centre, in pixels, >= 0.
    """
    kernel = _kernel(sigma, radius, images.dtype)
    for axis in (1, 2):
        paddings = [[0, 0]] * 4
        paddings[axis] = [radius, radius]
        padded = tf.pad(images, paddings)
        images = tf.add_n(
            [
                per_image(kernel[:, tap])
                * tf.slice(
                    padded,
                    [0, tap, 0, 0] if axis == 1 else [0, 0, tap, 0],
                    tf.shape(images),
                )
                for tap in range(2 * radius + 1)
            ]
        )
    return images


def _kernel(sigma: tf.Tensor, radius: int, dtype: tf.DType) -> tf.Tensor:
    """Weights `[B, 2 * radius + 1]`, whose rows sum to 1."""
    taps = tf.range(-radius, radius + 1, dtype=dtype)
    sigma = tf.cast(sigma, dtype)[:, None]
    kernel = tf.exp(-tf.square(taps) / (2.0 * tf.square(sigma)))
    return kernel / tf.reduce_sum(kernel, axis=1, keepdims=True)


def _blur_one(image: tf.Tensor, sigma: tf.Tensor, radius: int) -> tf.Tensor:
    """`gaussian_blur` of one image `[1, W, C, H]`, by the taps its sigma needs."""
    _, width, channels, height = image.shape
    dtype = image.dtype
    kernel = _kernel(sigma, radius, dtype)[0, radius:]
    # Taps beyond `reach` sigmas weigh less than half a unit in the sum's last place.
    reach = math.sqrt(2.0 * math.log(2.0 / np.finfo(dtype.as_numpy_dtype).eps))
    needed = tf.cast(tf.math.ceil(reach * tf.cast(sigma[0], dtype)), tf.int32)
    needed = tf.minimum(needed, radius)
    # The loop takes two taps at a time; an odd last one is paired with a weight of 0.
    radius += radius % 2
    kernel = tf.pad(kernel, [[0, radius + 1 - kernel.shape[0]]])

    def weighted(shifted: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
        def body(tap: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            for each in (tap, tap + 1):
                pair = shifted(radius - each) + shifted(radius + each)
                total += tf.gather(kernel, each) * pair
            return tap + 2, total

        start = (1, kernel[0] * shifted(tf.constant(radius)))
        return tf.while_loop(lambda tap, _: tap <= needed, body, start)[1]

    padded = tf.pad(image[0], [[radius, radius], [0, 0], [0, 0]])

    def column(place: tf.Tensor) -> tf.Tensor:
        across = weighted(lambda shift: tf.gather(padded, place + shift))
        across = tf.pad(across, [[0, 0], [radius, radius]])
        return weighted(lambda shift: tf.slice(across, [0, shift], [channels, height]))

    return one_by_one(column, width, [channels, height], dtype)[None]
