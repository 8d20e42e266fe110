"""Random resized crop, the augmentation SimCLR leans on most."""

from __future__ import annotations

import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation.base import StatelessAugmentation, Transformations
from simclr_tf.augmentation.resize import crop_and_resize

# The published recipe asks that a crop cover a tenth of the image, so areas
# between 0.08 and 0.1 are drawn and then rejected.
_MIN_COVERED = 0.1
# One draw in twenty is rejected, so ten rejections in a row happen once in
# 10^13 draws; the published op stops after a hundred.
_ATTEMPTS = 10


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class RandomResizedCrop(StatelessAugmentation):
    """Crops a random box and resizes it bicubically (SimCLR, appendix A).

    Boxes follow the distribution of `tf.image.sample_distorted_bounding_box` as
    the published code calls it: aspect ratio (width over height) uniform, height
    uniform between those of the smallest and largest allowed areas, place
    uniform, boxes that cover less than a tenth of the image rejected, and the
    whole image where ten draws fail.

    Args:
      height: rows of the result, in pixels.
      width: columns of the result, in pixels; `height` by default.
      area: least and greatest share of the image's area.
      aspect: least and greatest aspect ratio relative to the result's.
      seed: see `StatelessAugmentation`.
      **kwargs: of `tf.keras.layers.Layer`.

    Raises:
      ValueError: where a size is not positive or a range is not ordered.
    """

    stream = 0

    def __init__(
        self,
        height: int,
        width: int | None = None,
        *,
        area: tuple[float, float] = (0.08, 1.0),
        aspect: tuple[float, float] = (3 / 4, 4 / 3),
        seed: int | None = None,
        **kwargs,
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self.height = int(height)
        self.width = int(width or height)
        if self.height < 1 or self.width < 1:
            raise ValueError(
                f"height and width must be at least 1 pixel, got {height} and {width}."
            )
        if not 0.0 < area[0] <= area[1] <= 1.0:
            raise ValueError(f"area must satisfy 0 < least <= most <= 1, got {area}.")
        if not 0.0 < aspect[0] <= aspect[1]:
            raise ValueError(f"aspect must satisfy 0 < least <= most, got {aspect}.")
        self.area = tuple(area)
        self.aspect = tuple(aspect)

    def sample(self, seeds: tf.Tensor, sizes: tf.Tensor) -> Transformations:
        """`{"boxes": int32 [B, 4]}`, rows `(y, x, h, w)` in pixels of `sizes`."""
        draws = randomness.uniform(seeds, self.stream, 4 * _ATTEMPTS)
        draws = tf.reshape(draws, [-1, 4, _ATTEMPTS])
        image_h, image_w = tf.unstack(tf.cast(sizes, tf.float32)[:, :, None], axis=1)
        image_area = image_h * image_w
        least, most = self.area[0] * image_area, self.area[1] * image_area

        square = self.width / self.height
        low, high = self.aspect[0] * square, self.aspect[1] * square
        aspect = low + draws[:, 0] * (high - low)

        highest = tf.round(tf.sqrt(most / aspect))
        # Half a pixel more than the width still rounds to the width.
        fits = tf.floor((image_w + 0.5 - 1e-7) / aspect)
        highest = tf.where(tf.round(highest * aspect) > image_w, fits, highest)
        highest = tf.where(tf.round(highest * aspect) > image_w, highest - 1.0, highest)
        highest = tf.minimum(highest, image_h)
        lowest = tf.minimum(tf.round(tf.sqrt(least / aspect)), highest)
        height = lowest + tf.floor(draws[:, 1] * (highest - lowest + 1.0))
        width = tf.round(height * aspect)
        height = tf.where(height * width < least, height + 1.0, height)
        width = tf.round(height * aspect)
        height = tf.where(height * width > most, height - 1.0, height)
        width = tf.round(height * aspect)

        covered = height * width
        valid = (covered >= tf.maximum(least, _MIN_COVERED * image_area)) & (
            (covered <= most) & (height <= image_h) & (width <= image_w)
        )
        valid &= (height >= 1.0) & (width >= 1.0)
        # As the published op, which never draws the last place of a smaller box.
        y = tf.floor(draws[:, 2] * (image_h - height))
        x = tf.floor(draws[:, 3] * (image_w - width))

        first = tf.argmax(tf.cast(valid, tf.int32), axis=1, output_type=tf.int32)
        chosen = tf.one_hot(first, _ATTEMPTS, dtype=tf.float32)[:, None]
        drawn = tf.stack([y, x, height, width], axis=1)
        drawn = tf.reduce_sum(tf.where(chosen > 0, drawn, 0.0), axis=2)
        whole = tf.concat([tf.zeros_like(image_h)] * 2 + [image_h, image_w], axis=1)
        found = tf.reduce_any(valid, axis=1, keepdims=True)
        return {"boxes": tf.cast(tf.where(found, drawn, whole), tf.int32)}

    def augment_images(
        self, images: tf.Tensor, transformations: Transformations, **_: object
    ) -> tf.Tensor:
        """Images `[B, H, W, C]` to crops `[B, height, width, C]`."""
        return crop_and_resize(
            images, transformations["boxes"], self.height, self.width
        )

    def compute_output_shape(self, input_shape: tf.TensorShape) -> tf.TensorShape:
        shape = tf.TensorShape(input_shape).as_list()
        return tf.TensorShape([*shape[:-3], self.height, self.width, shape[-1]])

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "height": self.height,
            "width": self.width,
            "area": list(self.area),
            "aspect": list(self.aspect),
        }
