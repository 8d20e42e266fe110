"""What all augmentations share: seeds in, parameters sampled, then applied."""

from __future__ import annotations

import contextlib
import io
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

# keras-cv prints a greeting to stdout, which belongs to the program that imports us.
with contextlib.redirect_stdout(io.StringIO()):
    import keras_cv

from simclr_tf.augmentation.graph_checks import checked_values
from simclr_tf.errors import UserError

# What keras-cv keeps beside images that has a place in them.
_PLACES = frozenset({"bounding_boxes", "keypoints", "segmentation_masks"})

Transformations = Mapping[str, tf.Tensor]
# One image's row of them.
Drawn = Mapping[str, np.ndarray]


def to_unit_range(images: tf.Tensor, dtype: tf.DType = tf.float32) -> tf.Tensor:
    """Images as floating point in [0, 1].

    Args:
      images: `[..., H, W, C]`, uint8 in 0..255, uint16 in 0..65535, or floating
        point already in [0, 1].
      dtype: a floating dtype of the result.

    Raises:
      UserError: if the dtype is another, or values are out of range; in a graph see
        `checked_values`.
    """
    images = checked_values(tf.convert_to_tensor(images))
    if images.dtype.is_floating:
        return tf.cast(images, dtype)
    return tf.cast(images, dtype) * (1.0 / images.dtype.max)


class StatelessAugmentation(keras_cv.layers.VectorizedBaseImageAugmentationLayer):
    """A keras-cv layer whose draws are a pure function of per-example seeds.

    A subclass may set `stream`, the independent stream of an example's key that it
    draws from; otherwise one follows from its name. It writes two methods: `sample`,
    which turns seeds into a dict of parameters with one row per example, and
    `augment_images`, which applies them to the batch. The two are separate so that
    either can be tested, replaced or repeated alone. A third, `augment_one`, may give a
    faster form for one image on a CPU; see `host_views`.

    Call it on images `[B, H, W, C]` or `[H, W, C]`, uint8 or floating point in
    [0, 1], or on a dict with `"images"` and optionally `"seeds"` (int32
    `[B, 2]`, for a batch) and `"labels"`; unknown keys pass through. Without seeds
    each call draws new ones. The result is floating point in Keras' `floatx`,
    whatever the dtype policy: views stay in full precision.

    keras-cv's `"bounding_boxes"`, `"keypoints"` and `"segmentation_masks"` pass
    unchanged through layers that leave pixels in their places (`moves_pixels` is
    False); layers that move pixels refuse them. All layers refuse ragged images.

    A subclass is written with TensorFlow's operations: AutoGraph does not convert it.

    Examples:
      >>> class Darken(simclr_tf.augmentation.StatelessAugmentation):
      ...     def sample(self, seeds, sizes):
      ...         return {"factor": simclr_tf.randomness.uniform(seeds, self.stream, 1)}
      ...     def augment_images(self, images, transformations, **_):
      ...         return images * transformations["factor"][:, :, None, None]
      >>> float(tf.reduce_max(Darken(seed=0)(tf.ones([4, 8, 8, 3])))) < 1
      True

    Args:
      seed: an integer that makes the draws of calls without `"seeds"`
        repeatable from one process to the next, or None.
      stream: a number >= 0 instead of the class's own. Two layers of one stream
        make the same draws from the same seeds; give one of them another number.
      **kwargs: of `tf.keras.layers.Layer`.

    Raises:
      UserError: if an argument is out of its range; when called, if images are
        ragged, of a wrong shape, dtype or range (which a graph finds when it runs, see
        `checked_values`), or come with what the layer cannot move.
    """

    stream: Any = None
    moves_pixels = True

    def __init_subclass__(cls, *, abstract: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "augment_images" in vars(cls) and "augment_one" not in vars(cls):
            # A parent's `augment_one` would not do what this class does.
            cls.augment_one = StatelessAugmentation.augment_one  # type: ignore[method-assign]
        if abstract:  # Each of its subclasses has a stream of its own.
            return
        own = cls.__mro__[: cls.__mro__.index(StatelessAugmentation)]
        if not any("stream" in vars(base) for base in own):
            # Streams below 2^31 are for classes that name their own.
            cls.stream = 2**31 + zlib.crc32(cls.__name__.encode()) // 2

    def __init__(
        self, *, seed: int | None = None, stream: int | None = None, **kwargs
    ) -> None:
        kwargs.setdefault("dtype", tf.keras.backend.floatx())
        super().__init__(**kwargs)
        self.seed = seed
        if stream is not None:
            if not 0 <= stream < 2**32:
                raise UserError(f"stream must lie in 0..2^32 - 1, got {stream}.")
            self.stream = int(stream)

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

        With one image a branch can skip an operation that was not drawn.

        Args:
          image: floating point `[1, W, C, H]` of static shape.
          transformations: one row of what `sample` returns; the first axis is 1.

        Returns:
          The same shape and values as `augment_images`, within rounding.
        """
        image = tf.transpose(image, [0, 3, 1, 2])
        image = self.augment_images(image, transformations)
        return tf.transpose(image, [0, 2, 3, 1])

    def describe(self, drawn: Drawn, shape: tuple[int, int, int]) -> str:
        """What was drawn for an image, in words for a person who sees its view.

        Args:
          drawn: the image's row of each parameter that `sample` returns.
          shape: height, width and channels of the image.

        Returns:
          Lines; here each number with its name.
        """
        numbers = {
            k: v for k, v in drawn.items() if np.ndim(v) == 0 and v.dtype != bool
        }
        return "\n".join(f"{name} {value:.2g}" for name, value in numbers.items())

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
            self._require_dense(inputs)
            return super().call(to_unit_range(inputs, self.compute_dtype))
        inputs = dict(inputs)
        self._refuse_unsupported(inputs)
        images = to_unit_range(inputs["images"], self.compute_dtype)
        seeds = inputs.pop("seeds", None)
        if seeds is None:
            return super().call({**inputs, "images": images})
        if images.shape.rank != 4:
            raise UserError(
                f'{type(self).__name__} takes "seeds" [B, 2] for images [B, H, W, C], '
                f"got images of shape {images.shape}."
            )
        transformations = self.sample(seeds, image_sizes(images))
        images = self.augment_images(images, transformations)
        return {**inputs, "images": images, "seeds": seeds}

    def _refuse_unsupported(self, inputs: dict) -> None:
        if "images" not in inputs:
            raise UserError(
                f'{type(self).__name__} takes images, or a dict with "images", got a '
                f"dict of {sorted(inputs)}."
            )
        self._require_dense(inputs["images"])
        moved = sorted(_PLACES & set(inputs))
        if moved and self.moves_pixels:
            raise UserError(
                f"{type(self).__name__} moves pixels and cannot move {moved} with "
                "them: leave them out, or take a keras-cv layer for this step."
            )

    def _require_dense(self, images: tf.Tensor | tf.RaggedTensor) -> None:
        if isinstance(images, (tf.RaggedTensor, tf.SparseTensor)):
            raise UserError(
                f"{type(self).__name__} takes a dense batch [B, H, W, C], got a "
                f"{type(images).__name__}: resize the images to one size first, or "
                "augment them one at a time, before they are batched."
            )

    def augment_labels(
        self, labels: tf.Tensor, transformations: Transformations, **_: object
    ) -> tf.Tensor:
        return labels

    def augment_bounding_boxes(
        self, bounding_boxes: dict, transformations: Transformations, **_: object
    ) -> dict:
        return bounding_boxes

    def augment_keypoints(
        self, keypoints: tf.Tensor, transformations: Transformations, **_: object
    ) -> tf.Tensor:
        return keypoints

    def augment_segmentation_masks(
        self,
        segmentation_masks: tf.Tensor,
        transformations: Transformations,
        **_: object,
    ) -> tf.Tensor:
        return segmentation_masks

    def get_config(self) -> dict:
        return {**super().get_config(), "seed": self.seed, "stream": self.stream}


def image_sizes(images: tf.Tensor) -> tf.Tensor:
    """Heights and widths, int32 `[B, 2]`, of images `[B, H, W, C]`."""
    shape = tf.shape(images)
    return tf.tile(shape[None, 1:3], [shape[0], 1])


def per_image(parameter: tf.Tensor) -> tf.Tensor:
    """`[B]` to `[B, 1, 1, 1]`, to meet images `[B, H, W, C]`."""
    return parameter[:, None, None, None]


def require_rgb(images: tf.Tensor, layer: tf.keras.layers.Layer) -> None:
    """Raises UserError if images do not have three channels."""
    if images.shape[-1] != 3:
        raise UserError(
            f"{type(layer).__name__} needs RGB images [B, H, W, 3], got shape "
            f"{images.shape}. Leave it out for images of other channels."
        )


def require_probability(name: str, value: float) -> float:
    """`value` as a float; UserError unless it lies in [0, 1]."""
    if not 0.0 <= value <= 1.0:
        raise UserError(f"{name} must lie in [0, 1], got {value}.")
    return float(value)
