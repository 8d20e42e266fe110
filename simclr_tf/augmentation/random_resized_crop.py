"""Random resized crop, the augmentation SimCLR leans on most."""

from __future__ import annotations

import math

import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation.base import Drawn, StatelessAugmentation, Transformations
from simclr_tf.augmentation.resize import crop_and_resize
from simclr_tf.errors import UserError

# The published recipe's areas, and the share of the image that it asks a crop to
# cover besides: it draws areas between 0.08 and 0.1 and then rejects them.
PUBLISHED_AREA = (0.08, 1.0)
_PUBLISHED_MIN_COVERED = 0.1
# The published op gives up after a hundred attempts. Nearly every image has a valid
# box among its first ten; the loop goes on for images that have not, elongated ones.
_ATTEMPTS = 10
_ROUNDS = 10


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class RandomResizedCrop(StatelessAugmentation):
    """Crops a random box and resizes it bicubically (SimCLR, appendix A).

    Boxes follow the distribution of `tf.image.sample_distorted_bounding_box` as
    the published code calls it: aspect ratio (width over height) uniform; height
    uniform between those of the smallest and the largest allowed area; position
    uniform; boxes out of bounds, or that cover less than `min_covered` of the image,
    drawn again; the whole image where a hundred draws fail.

    Examples:
      >>> crop = simclr_tf.augmentation.RandomResizedCrop(24, area=(0.2, 1.0))
      >>> crop(tf.random.uniform([4, 40, 32, 3])).shape
      TensorShape([4, 24, 24, 3])

    Args:
      height: rows of the result, in pixels.
      width: columns of the result, in pixels; `height` by default.
      area: least and greatest share of the image's area.
      aspect: least and greatest aspect ratio relative to the result's.
      min_covered: boxes that cover a smaller share of the image are drawn again, in
        [0, the greatest area]. None is 0.1 for the published `area` of (0.08, 1), as
        published, and 0 for any other, which then is drawn as it says.
      seed: see `StatelessAugmentation`.
      **kwargs: of `StatelessAugmentation`.

    Raises:
      UserError: if a size is not positive or a range is not ordered.
    """

    stream = 0

    def __init__(
        self,
        height: int,
        width: int | None = None,
        *,
        area: tuple[float, float] = (0.08, 1.0),
        aspect: tuple[float, float] = (3 / 4, 4 / 3),
        min_covered: float | None = None,
        seed: int | None = None,
        **kwargs,
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self.height = int(height)
        self.width = int(width or height)
        if self.height < 1 or self.width < 1:
            raise UserError(
                f"height and width must be at least 1 pixel, got {height} and {width}."
            )
        if not 0.0 < area[0] <= area[1] <= 1.0:
            raise UserError(f"area must satisfy 0 < least <= most <= 1, got {area}.")
        if not 0.0 < aspect[0] <= aspect[1] < math.inf:
            raise UserError(f"aspect must satisfy 0 < least <= most, got {aspect}.")
        if min_covered is not None and not 0.0 <= min_covered <= area[1]:
            raise UserError(
                f"min_covered must be between 0 and the greatest area, {area[1]}, got "
                f"{min_covered}: no box could cover so much."
            )
        self.area = tuple(area)
        self.aspect = tuple(aspect)
        self.min_covered = min_covered

    def sample(self, seeds: tf.Tensor, sizes: tf.Tensor) -> Transformations:
        """`{"boxes": int32 [B, 4]}`, rows `(y, x, h, w)` in pixels of `sizes`."""
        sizes = tf.cast(sizes, tf.float32)

        def one_round(
            index: tf.Tensor, found: tf.Tensor, boxes: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            draws = randomness.uniform(seeds, self.stream, 4 * _ATTEMPTS, block=index)
            drawn, valid = self._attempt(tf.reshape(draws, [-1, 4, _ATTEMPTS]), sizes)
            first = tf.argmax(tf.cast(valid, tf.int32), axis=1, output_type=tf.int32)
            chosen = tf.one_hot(first, _ATTEMPTS, dtype=tf.float32)[:, None]
            drawn = tf.reduce_sum(tf.where(chosen > 0, drawn, 0.0), axis=2)
            new = tf.reduce_any(valid, axis=1, keepdims=True) & ~found
            return index + 1, found | new, tf.where(new, drawn, boxes)

        whole = tf.concat([tf.zeros_like(sizes), sizes], axis=1)
        _, _, boxes = tf.while_loop(
            lambda index, found, _: ~tf.reduce_all(found),
            one_round,
            (0, tf.zeros_like(sizes[:, :1], tf.bool), whole),
            maximum_iterations=_ROUNDS,
        )
        return {"boxes": tf.cast(boxes, tf.int32)}

    def describe(self, drawn: Drawn, shape: tuple[int, int, int]) -> str:
        height, width = drawn["boxes"][2:]
        return f"{height * width / (shape[0] * shape[1]):.0%} of the area"

    def _attempt(
        self, draws: tf.Tensor, sizes: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Boxes from uniform draws, and which of them are valid.

        Args:
          draws: `[B, 4, attempts]`, for aspect, height, y and x.
          sizes: floating `[B, 2]`, heights and widths.

        Returns:
          Floating boxes `[B, 4, attempts]` and bool `[B, attempts]`.
        """
        image_h, image_w = tf.unstack(sizes[:, :, None], axis=1)
        image_area = image_h * image_w
        least, most = self.area[0] * image_area, self.area[1] * image_area

        result_aspect = self.width / self.height
        low, high = self.aspect[0] * result_aspect, self.aspect[1] * result_aspect
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
        needed = tf.maximum(least, self._needed_cover() * image_area)
        valid = (covered >= needed) & (covered <= most)
        valid &= (height >= 1.0) & (width >= 1.0)
        valid &= (height <= image_h) & (width <= image_w)
        # The published op never draws the last position of a smaller box.
        y = tf.floor(draws[:, 2] * (image_h - height))
        x = tf.floor(draws[:, 3] * (image_w - width))
        return tf.stack([y, x, height, width], axis=1), valid

    def _needed_cover(self) -> float:
        if self.min_covered is not None:
            return self.min_covered
        return _PUBLISHED_MIN_COVERED if self.area == PUBLISHED_AREA else 0.0

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
            "min_covered": self.min_covered,
        }
