"""What all augmentations share: seeds in, parameters sampled, then applied."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping

import tensorflow as tf

# It greets on stdout, which belongs to the program that imports us.
with contextlib.redirect_stdout(io.StringIO()):
    import keras_cv

Transformations = Mapping[str, tf.Tensor]


def to_unit_range(images: tf.Tensor, dtype: tf.DType = tf.float32) -> tf.Tensor:
    """Images as floating point in [0, 1].

    Args:
      images: `[..., H, W, C]`, integers in 0..the dtype's maximum, or floating
        point already in [0, 1].
      dtype: a floating dtype of the result.
    """
    images = tf.convert_to_tensor(images)
    if images.dtype.is_floating:
        return tf.cast(images, dtype)
    return tf.cast(images, dtype) * (1.0 / images.dtype.max)


class StatelessAugmentation(keras_cv.layers.VectorizedBaseImageAugmentationLayer):
    """A keras-cv layer whose draws are a pure function of per-example seeds.

    A subclass sets `stream`, the independent stream of an example's key that it
    draws from, and writes two methods: `sample`, which turns seeds into a dict
    of parameters with one row per example, and `augment_images`, which applies
    them to the batch. The two are apart so that either can be tested, replaced
    or repeated alone. A third, `augment_one`, may say how a CPU does one image
    faster; see `host_views`.

    Call it on images `[B, H, W, C]` or `[H, W, C]`, uint8 or floating point in
    [0, 1], or on a dict with `"images"` and optionally `"seeds"` (int32
    `[B, 2]`; other keys pass through). Without seeds each call draws new ones.
    The result is floating point in Keras' `floatx`, whatever the dtype policy:
    views stay in full precision.

    Args:
      seed: an integer that makes the draws of calls without `"seeds"`
        repeatable from one process to the next, or None.
      **kwargs: of `tf.keras.layers.Layer`.
    """

    stream: int

    def __init__(self, *, seed: int | None = None, **kwargs) -> None:
        kwargs.setdefault("dtype", tf.keras.backend.floatx())
        super().__init__(**kwargs)
        self.seed = seed

    def sample(self, seeds: tf.Tensor, sizes: tf.Tensor) -> Transformations:
        """Parameters for a batch.

        Args:
          seeds: int32 `[B, 2]`.
          sizes: int32 `[B, 2]`, each image's height and width in pixels.

        Returns:
          A dict of tensors whose first axis is the batch.
        """
        raise NotImplementedError(f"{type(self).__name__} must define sample().")

    def augment_one(
        self, image: tf.Tensor, transformations: Transformations
    ) -> tf.Tensor:
        """`augment_images` of one image whose channels are planes of each column.

        Here branches pay, which a batch of many images cannot take.

        Args:
          image: floating point `[1, W, C, H]` of static shape.
          transformations: a row of those of `sample`, the first axis being 1.

        Returns:
          The same shape and values as `augment_images`, within rounding.
        """
        image = tf.transpose(image, [0, 3, 1, 2])
        image = self.augment_images(image, transformations)
        return tf.transpose(image, [0, 2, 3, 1])

    def fresh_seeds(self, batch_size: int | tf.Tensor) -> tf.Tensor:
        """New int32 seeds `[batch_size, 2]`, different at each call."""
        return tf.random.uniform(
            [batch_size, 2], tf.int32.min, tf.int32.max, tf.int32, seed=self.seed
        )

    def get_random_transformation_batch(
        self, batch_size: tf.Tensor, images: tf.Tensor | None = None, **_: object
    ) -> Transformations:
        """keras-cv's hook: parameters from fresh seeds."""
        return self.sample(self.fresh_seeds(batch_size), image_sizes(images))

    def call(self, inputs: tf.Tensor | dict) -> tf.Tensor | dict:
        if not isinstance(inputs, dict):
            return super().call(to_unit_range(inputs, self.compute_dtype))
        inputs = dict(inputs)
        images = to_unit_range(inputs["images"], self.compute_dtype)
        seeds = inputs.pop("seeds", None)
        if seeds is None:
            return super().call({**inputs, "images": images})
        transformations = self.sample(seeds, image_sizes(images))
        images = self.augment_images(images, transformations)
        return {**inputs, "images": images, "seeds": seeds}

    def augment_labels(
        self, labels: tf.Tensor, transformations: Transformations, **_: object
    ) -> tf.Tensor:
        return labels

    def get_config(self) -> dict:
        return {**super().get_config(), "seed": self.seed}


def image_sizes(images: tf.Tensor) -> tf.Tensor:
    """Heights and widths, int32 `[B, 2]`, of images `[B, H, W, C]`."""
    shape = tf.shape(images)
    return tf.tile(shape[None, 1:3], [shape[0], 1])


def per_image(parameter: tf.Tensor) -> tf.Tensor:
    """`[B]` to `[B, 1, 1, 1]`, to meet images `[B, H, W, C]`."""
    return parameter[:, None, None, None]


def require_rgb(images: tf.Tensor, layer: tf.keras.layers.Layer) -> None:
    """Raises ValueError where images do not have three channels."""
    if images.shape[-1] != 3:
        raise ValueError(
            f"{type(layer).__name__} needs RGB images [B, H, W, 3], got shape "
            f"{images.shape}. Convert greyscale images with "
            "tf.image.grayscale_to_rgb first."
        )


def require_probability(name: str, value: float) -> float:
    """`value` as a float; ValueError unless it lies in [0, 1]."""
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} must lie in [0, 1], got {value}.")
    return float(value)
