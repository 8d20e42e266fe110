"""SimCLR's recipe: what turns an image into two views."""

from __future__ import annotations

import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation.base import (
    StatelessAugmentation,
    Transformations,
    image_sizes,
    to_unit_range,
)
from simclr_tf.augmentation.random_color_jitter import RandomColorJitter
from simclr_tf.augmentation.random_gaussian_blur import RandomGaussianBlur
from simclr_tf.augmentation.random_grayscale import RandomGrayscale
from simclr_tf.augmentation.random_horizontal_flip import RandomHorizontalFlip
from simclr_tf.augmentation.random_resized_crop import RandomResizedCrop
from simclr_tf.augmentation.resize import CropTaps, crop_and_resize_one, scale_boxes


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class SimCLRAugmenter(StatelessAugmentation):
    """The paper's augmentations in its order (SimCLR, appendix A).

    Random resized crop, horizontal flip, colour jitter with probability 0.8,
    greyscale with probability 0.2, Gaussian blur with probability 0.5, clip to
    [0, 1]. `augmenter(images)` gives one view of each image,
    `augmenter.two_views(images)` two.

    Args:
      image_size: side of the square views, in pixels.
      color_strength: strength s of the colour jitter, >= 0; 0 leaves colours
        alone, greyscale included. The paper uses 1 for ImageNet, 0.5 for CIFAR.
      blur: whether to blur; the paper does for ImageNet, not for CIFAR.
      crop_area: least and greatest share of the image's area a crop covers.
      brightness_rule: "multiplicative" (v2) or "additive" (v1).
      seed: see `StatelessAugmentation`.
      **kwargs: of `tf.keras.layers.Layer`.

    Raises:
      ValueError: where an argument is out of its range, or images are not RGB.
    """

    def __init__(
        self,
        image_size: int,
        *,
        color_strength: float = 1.0,
        blur: bool = True,
        crop_area: tuple[float, float] = (0.08, 1.0),
        brightness_rule: str = "multiplicative",
        seed: int | None = None,
        **kwargs,
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self.image_size = int(image_size)
        self.color_strength = float(color_strength)
        self.blur = bool(blur)
        self.crop_area = tuple(crop_area)
        self.brightness_rule = brightness_rule
        self.crop = RandomResizedCrop(image_size, area=crop_area, dtype=self.dtype)
        self.flip = RandomHorizontalFlip(dtype=self.dtype)
        self.after_flip = []
        jitter = RandomColorJitter(
            color_strength, brightness_rule=brightness_rule, dtype=self.dtype
        )
        if color_strength > 0.0:
            self.after_flip += [jitter, RandomGrayscale(dtype=self.dtype)]
        if blur:
            self.after_flip.append(RandomGaussianBlur(dtype=self.dtype))

    def sample(self, seeds: tf.Tensor, sizes: tf.Tensor) -> Transformations:
        """Each layer's parameters, under the layer's class name."""
        return {
            type(layer).__name__: layer.sample(seeds, sizes)
            for layer in [self.crop, self.flip, *self.after_flip]
        }

    def augment_images(
        self, images: tf.Tensor, transformations: Transformations, **_: object
    ) -> tf.Tensor:
        """Images `[B, H, W, 3]` to views `[B, image_size, image_size, 3]`."""
        crops = self.crop.augment_images(images, transformations["RandomResizedCrop"])
        return self._augment_crops(crops, transformations)

    def _augment_crops(
        self, views: tf.Tensor, transformations: Transformations
    ) -> tf.Tensor:
        for layer in [self.flip, *self.after_flip]:
            views = layer.augment_images(views, transformations[type(layer).__name__])
        return tf.clip_by_value(views, 0.0, 1.0)

    def view_of_one(
        self, image: tf.Tensor, taps: CropTaps, transformations: Transformations
    ) -> tf.Tensor:
        """`augment_images` of one image, whose taps crop, flip and scale it.

        Args:
          image: `[H, W, 3]` of any dtype.
          taps: of one crop.
          transformations: a row of those of `sample`, the first axis being 1.

        Returns:
          `[image_size, image_size, 3]` in the taps' dtype.
        """
        view = crop_and_resize_one(image, taps)[None]
        for layer in self.after_flip:
            view = layer.augment_one(view, transformations[type(layer).__name__])
        pixels = tf.reshape(view, [-1, self.image_size])
        pixels = tf.transpose(tf.clip_by_value(pixels, 0.0, 1.0))
        return tf.reshape(pixels, [self.image_size, self.image_size, -1])

    @tf.autograph.experimental.do_not_convert
    def two_views(
        self,
        images: tf.Tensor,
        seeds: tf.Tensor | None = None,
        *,
        sizes: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Two independent views of each image.

        With `seeds` a pure function: the same image and seeds give the same
        views whatever the batch, the replica or the machine.

        Args:
          images: `[B, H, W, 3]`, uint8 or floating point in [0, 1].
          seeds: integer `[B, 2]`; drawn anew where None.
          sizes: int32 `[B, 2]`, heights and widths of the originals where
            `images` are canvases that hold them, see `scale_boxes`: crops are
            then drawn on the originals.

        Returns:
          float32 (Keras' `floatx`) `[B, 2, image_size, image_size, 3]` in
          [0, 1].
        """
        images = to_unit_range(images, self.compute_dtype)
        if seeds is None:
            seeds = self.fresh_seeds(tf.shape(images)[0])
        drawn = self.sample_two(seeds, images, sizes)
        boxes = tf.split(drawn["RandomResizedCrop"]["boxes"], 2)
        crops = [self.crop.augment_images(images, {"boxes": half}) for half in boxes]
        views = self._augment_crops(tf.concat(crops, axis=0), drawn)
        return tf.stack(tf.split(views, 2), axis=1)

    def sample_two(
        self, seeds: tf.Tensor, images: tf.Tensor, sizes: tf.Tensor | None = None
    ) -> Transformations:
        """The parameters of `two_views`; boxes are in pixels of `images`.

        Their first axis is `[2 * B]`: of the first view of each image, then of the
        second.
        """
        canvas = image_sizes(images)
        sizes = canvas if sizes is None else tf.cast(sizes, tf.int32)
        sizes, canvas = (tf.tile(each, [2, 1]) for each in (sizes, canvas))
        seeds = randomness.fold_in(seeds, tf.constant([[0], [1]]))
        drawn = self.sample(tf.reshape(seeds, [-1, 2]), sizes)
        boxes = scale_boxes(drawn["RandomResizedCrop"]["boxes"], sizes, canvas)
        return {**drawn, "RandomResizedCrop": {"boxes": boxes}}

    def compute_output_shape(self, input_shape: tf.TensorShape) -> tf.TensorShape:
        return self.crop.compute_output_shape(input_shape)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "image_size": self.image_size,
            "color_strength": self.color_strength,
            "blur": self.blur,
            "crop_area": list(self.crop_area),
            "brightness_rule": self.brightness_rule,
        }
