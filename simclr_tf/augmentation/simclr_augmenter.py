"""SimCLR's recipe: what turns an image into two views."""

from __future__ import annotations

import collections
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation.base import (
    StatelessAugmentation,
    Transformations,
    image_sizes,
    to_unit_range,
)
from simclr_tf.augmentation.pipeline_views import (
    has_form_for_one,
    in_tf_data,
    views_in_tf_data,
)
from simclr_tf.augmentation.random_color_jitter import RandomColorJitter
from simclr_tf.augmentation.random_flip import RandomHorizontalFlip
from simclr_tf.augmentation.random_gaussian_blur import RandomGaussianBlur
from simclr_tf.augmentation.random_grayscale import RandomGrayscale
from simclr_tf.augmentation.random_resized_crop import RandomResizedCrop
from simclr_tf.augmentation.resize import CropTaps, crop_and_resize_one, scale_boxes
from simclr_tf.errors import UserError
from simclr_tf.image_size import (
    ImageSize,
    height_and_width,
    image_size_text,
    parse_image_size,
)


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class SimCLRAugmenter(StatelessAugmentation):
    """The paper's augmentations in its order (SimCLR, appendix A).

    Random resized crop, horizontal flip, colour jitter, greyscale, Gaussian blur, clip
    to [0, 1]. `augmenter(images)` gives one view of each image,
    `augmenter.two_views(images)` two. `layers` makes another list of them; the
    attributes `crop`, `flip` (None where the second layer is no flip) and `after_flip`,
    a list, hold them and may be changed. The config keeps such layers, and to load it
    their classes must be registered with Keras.

    Images may have any number of channels; of those that are not RGB the recipe jitters
    brightness and contrast of each channel and leaves greyscale out, see
    `RandomColorJitter`.

    Examples:
      >>> augmenter = simclr_tf.augmentation.SimCLRAugmenter(24, blur=False)
      >>> images = tf.random.uniform([4, 32, 32, 3])
      >>> seeds = tf.constant([[0, 0], [0, 1], [0, 2], [0, 3]])
      >>> views = augmenter.two_views(images, seeds=seeds)
      >>> views.shape
      TensorShape([4, 2, 24, 24, 3])
      >>> np.array_equal(views, augmenter.two_views(images, seeds=seeds))
      True

    Args:
      image_size: side of the views in pixels; or height and width.
      layers: the layers in their order, of which the first is a `RandomResizedCrop` to
        `image_size`; the settings that follow are then not used. `parse_views` reads
        them from a string. A layer may come twice: each draws on its own.
      color_strength: strength s of the colour jitter, finite and >= 0; 0 leaves colours
        alone, greyscale included. The paper uses 1 for ImageNet, 0.5 for CIFAR.
      blur: whether to blur; the paper does for ImageNet, not for CIFAR.
      crop_area: least and greatest share of the image's area a crop covers; with
        the default, the published one, at least a tenth, see `RandomResizedCrop`.
      brightness_rule: "multiplicative" (v2) or "additive" (v1).
      flip_probability: share of views mirrored left to right, in [0, 1].
      jitter_probability: share of views whose colours are jittered.
      gray_probability: share of views made grey.
      blur_probability: share of views blurred, where `blur` is true.
      seed: see `StatelessAugmentation`.
      **kwargs: of `tf.keras.layers.Layer`.

    Raises:
      UserError: if an argument is out of its range, or one of `layers` does not take
        images of their channels.
    """

    stream = None

    def __init__(
        self,
        image_size: ImageSize,
        *,
        layers: Sequence[StatelessAugmentation] | None = None,
        color_strength: float = 1.0,
        blur: bool = True,
        crop_area: tuple[float, float] = (0.08, 1.0),
        brightness_rule: str = "multiplicative",
        flip_probability: float = 0.5,
        jitter_probability: float = 0.8,
        gray_probability: float = 0.2,
        blur_probability: float = 0.5,
        seed: int | None = None,
        **kwargs,
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self.image_size = parse_image_size(image_size)
        self.color_strength = float(color_strength)
        self.blur = bool(blur)
        self.crop_area = (crop_area[0], crop_area[1])
        self.brightness_rule = brightness_rule
        self.flip_probability = flip_probability
        self.jitter_probability = jitter_probability
        self.gray_probability = gray_probability
        self.blur_probability = blur_probability
        self._is_recipe = layers is None
        self._set_layers(self._recipe_layers() if layers is None else layers)

    def _set_layers(self, layers: Sequence[StatelessAugmentation]) -> None:
        sides = getattr(layers[0], "height", 0), getattr(layers[0], "width", 0)
        if sides != height_and_width(self.image_size):
            size = image_size_text(self.image_size)
            raise UserError(
                f"The first layer must be a RandomResizedCrop to {size} px, "
                f"which gives views their size, got a {type(layers[0]).__name__}."
            )
        flips = len(layers) > 1 and isinstance(layers[1], RandomHorizontalFlip)
        self.crop: Any = layers[0]
        self.flip: Any = layers[1] if flips else None
        self.after_flip = list(layers[1 + flips :])

    def _recipe_layers(self) -> list[StatelessAugmentation]:
        """New layers, as the arguments describe them."""
        dtype = self.dtype
        height, width = height_and_width(self.image_size)
        crop = RandomResizedCrop(
            height, width, area=self.crop_area, dtype=dtype, name="crop"
        )
        flip = RandomHorizontalFlip(self.flip_probability, dtype=dtype, name="flip")
        jitter = RandomColorJitter(
            self.color_strength,
            probability=self.jitter_probability,
            brightness_rule=self.brightness_rule,
            dtype=dtype,
            name="color_jitter",
        )
        gray = RandomGrayscale(self.gray_probability, dtype=dtype, name="grayscale")
        blur = RandomGaussianBlur(
            probability=self.blur_probability, dtype=dtype, name="gaussian_blur"
        )
        colors = [jitter, gray] if self.color_strength > 0.0 else []
        return [crop, flip, *colors, *([blur] if self.blur else [])]

    def keyed_layers(self) -> dict[str, StatelessAugmentation]:
        """The layers in their order; a key is the layer's position and name."""
        layers = [self.crop, self.flip, *self.after_flip]
        layers = [layer for layer in layers if layer is not None]
        return {f"{index}_{each.name}": each for index, each in enumerate(layers)}

    def sample(self, seeds: tf.Tensor, sizes: tf.Tensor) -> Transformations:
        """Each layer's parameters, under its key in `keyed_layers`.

        Where several layers have one `stream`, the later ones draw from seeds of
        their own, so that no two layers share draws.
        """
        if self.stream is not None:
            seeds = randomness.fold_in(seeds, self.stream)
        drawn = {}
        uses: collections.Counter = collections.Counter()
        for key, layer in self.keyed_layers().items():
            earlier = uses[layer.stream]
            uses[layer.stream] += 1
            own = randomness.fold_in(seeds, earlier) if earlier else seeds
            drawn[key] = layer.sample(own, sizes)
        return drawn

    def augment_images(
        self, images: tf.Tensor, transformations: Transformations, **_: object
    ) -> tf.Tensor:
        """Images `[B, H, W, C]` to views `[B, h, w, C]`."""
        crop_key = next(iter(self.keyed_layers()))
        crops = self.crop.augment_images(images, transformations[crop_key])
        return self._augment_crops(crops, transformations)

    def _augment_crops(
        self, views: tf.Tensor, transformations: Transformations
    ) -> tf.Tensor:
        for key, layer in list(self.keyed_layers().items())[1:]:
            if self.takes(layer, views.shape[-1]):
                views = layer.augment_images(views, transformations[key])
        return tf.clip_by_value(views, 0.0, 1.0)

    def takes(self, layer: StatelessAugmentation, channels: int | None) -> bool:
        """Whether to call a layer: one of `layers` says itself what it cannot take."""
        recipes_gray = self._is_recipe and type(layer) is RandomGrayscale
        return channels in (3, None) or not recipes_gray

    def view_of_one(
        self, image: tf.Tensor, taps: CropTaps, transformations: Transformations
    ) -> tf.Tensor:
        """`augment_images` of one image, whose taps crop, flip and scale it.

        Args:
          image: `[H, W, C]` of any dtype.
          taps: of one crop.
          transformations: one row of what `sample` returns; the first axis is 1.

        Returns:
          `[h, w, C]` in the taps' dtype.
        """
        return self.view_of_planes(
            crop_and_resize_one(image, taps)[None], transformations
        )

    def view_of_planes(
        self, view: tf.Tensor, transformations: Transformations
    ) -> tf.Tensor:
        """A crop, flipped where that was drawn, to a view.

        Args:
          view: floating point in [0, 1] `[1, image_size, 3, image_size]`: the channels
            as planes of each column.
          transformations: one row of what `sample` returns; the first axis is 1.

        Returns:
          `[image_size, image_size, 3]` in the same dtype.
        """
        in_taps = 1 if self.flip is None else 2
        for key, layer in list(self.keyed_layers().items())[in_taps:]:
            if self.takes(layer, view.shape[2]):
                view = layer.augment_one(view, transformations[key])
        height, width = height_and_width(self.image_size)
        pixels = tf.reshape(view, [-1, height])
        pixels = tf.transpose(tf.clip_by_value(pixels, 0.0, 1.0))
        return tf.reshape(pixels, [height, width, -1])

    def two_views(
        self,
        images: tf.Tensor,
        seeds: tf.Tensor | None = None,
        *,
        sizes: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Two independent views of each image: `views` with a count of 2."""
        return self.views(images, seeds, sizes=sizes)

    def views(
        self,
        images: tf.Tensor,
        seeds: tf.Tensor | None = None,
        *,
        sizes: tf.Tensor | None = None,
        count: int = 2,
    ) -> tf.Tensor:
        """Independent views of each image.

        With `seeds` a pure function: the same image and seeds give the same
        views whatever the batch, the replica or the machine.

        In a function that `tf.data` maps over batches of images of one size, they are
        made image by image, which is several times as fast on a CPU; see
        `pipeline_views`.

        Args:
          images: `[B, H, W, C]`, uint8, uint16 or floating point in [0, 1].
          seeds: integer `[B, 2]`; drawn anew where None.
          sizes: int32 `[B, 2]`, heights and widths of the originals where
            `images` are canvases that hold them, see `scale_boxes`: crops are
            then drawn on the originals.
          count: views of each image, V.

        Returns:
          float32 (Keras' `floatx`) `[B, V, h, w, C]` in [0, 1], h and w being the
          `image_size`.

        Raises:
          UserError: where images are no batch, or not of a dtype and range that images
            may have.
        """
        self._require_dense(images)
        images = tf.convert_to_tensor(images)
        if images.shape.rank not in (4, None):
            raise UserError(
                f"{type(self).__name__} makes views of a batch [B, H, W, C], got shape "
                f"{images.shape}: batch the images first."
            )
        if in_tf_data() and has_form_for_one(self, images):
            if seeds is None:
                seeds = self.fresh_seeds(tf.shape(images)[0])
            return views_in_tf_data(self, images, seeds, sizes=sizes, count=count)
        images = to_unit_range(images, self.compute_dtype)
        if seeds is None:
            seeds = self.fresh_seeds(tf.shape(images)[0])
        drawn = self.sample_views(seeds, images, sizes, count)
        boxes = tf.split(drawn[next(iter(drawn))]["boxes"], count)
        crops = [self.crop.augment_images(images, {"boxes": each}) for each in boxes]
        views = self._augment_crops(tf.concat(crops, axis=0), drawn)
        return tf.stack(tf.split(views, count), axis=1)

    @property
    def crops_by_boxes(self) -> bool:
        """Whether a view is what `crop_boxes` says, resized, then the other layers."""
        cuts = getattr(type(self.crop), "augment_images", None)
        return (
            cuts is RandomResizedCrop.augment_images and type(self) is SimCLRAugmenter
        )

    def crop_boxes(
        self, seeds: tf.Tensor, sizes: tf.Tensor, count: int = 2
    ) -> tf.Tensor:
        """The boxes of the crops that `views` cuts.

        Args:
          seeds: int32 `[B, 2]`.
          sizes: int32 `[B, 2]`, heights and widths of images.
          count: views of each image, V.

        Returns:
          int32 `[B, V, 4]`, `(y, x, h, w)` in pixels of the images.
        """
        seeds = self._seeds_of_views(seeds, count)
        if self.stream is not None:
            seeds = randomness.fold_in(seeds, self.stream)
        drawn = self.crop.sample(seeds, tf.tile(tf.cast(sizes, tf.int32), [count, 1]))
        return tf.stack(tf.split(drawn["boxes"], count), axis=1)

    def views_of_crops(
        self, crops: tf.Tensor, seeds: tf.Tensor, sizes: tf.Tensor
    ) -> tf.Tensor:
        """Views of crops that were cut already, in the boxes of `crop_boxes`.

        Args:
          crops: `[B, V, image_size, image_size, 3]`, uint8 or floating point in [0, 1].
          seeds: int32 `[B, 2]`.
          sizes: int32 `[B, 2]`, heights and widths of the images they were cut from.

        Returns:
          The shape of `crops`, floating point in [0, 1]; those of `views` within the
          rounding of the crops.
        """
        count = crops.shape[1]
        drawn = self.sample_views(seeds, crops[:, 0], sizes, count)
        crops = to_unit_range(crops, self.compute_dtype)
        crops = tf.concat(tf.unstack(crops, axis=1), axis=0)
        return tf.stack(tf.split(self._augment_crops(crops, drawn), count), axis=1)

    def sample_views(
        self,
        seeds: tf.Tensor,
        images: tf.Tensor,
        sizes: tf.Tensor | None = None,
        count: int = 2,
    ) -> Transformations:
        """The parameters of `views`; boxes are in pixels of `images`.

        The first axis has `count * B` rows: the first views of all images, then the
        second ones, and so on.
        """
        canvas = image_sizes(images)
        sizes = canvas if sizes is None else tf.cast(sizes, tf.int32)
        sizes, canvas = (tf.tile(each, [count, 1]) for each in (sizes, canvas))
        drawn = self.sample(self._seeds_of_views(seeds, count), sizes)
        crop_key = next(iter(drawn))
        boxes = scale_boxes(drawn[crop_key]["boxes"], sizes, canvas)
        return {**drawn, crop_key: {"boxes": boxes}}

    def _seeds_of_views(self, seeds: tf.Tensor, count: int) -> tf.Tensor:
        """Seeds `[count * B, 2]`: of the first views of all images, then the second."""
        seeds = randomness.fold_in(seeds, tf.range(count)[:, None])
        return tf.reshape(seeds, [-1, 2])

    def compute_output_shape(self, input_shape: tf.TensorShape) -> tf.TensorShape:
        return self.crop.compute_output_shape(input_shape)

    def get_config(self) -> dict:
        layers = list(self.keyed_layers().values())
        changed = _described(layers) != _described(self._recipe_layers())
        serialize = tf.keras.layers.serialize
        return {
            **super().get_config(),
            "image_size": _as_json(self.image_size),
            "color_strength": self.color_strength,
            "blur": self.blur,
            "crop_area": list(self.crop_area),
            "brightness_rule": self.brightness_rule,
            "flip_probability": self.flip_probability,
            "jitter_probability": self.jitter_probability,
            "gray_probability": self.gray_probability,
            "blur_probability": self.blur_probability,
            # None lets the other settings describe the layers.
            "layers": [serialize(layer) for layer in layers] if changed else None,
        }

    @classmethod
    def from_config(cls, config: dict) -> SimCLRAugmenter:
        config = dict(config)
        layers = config.pop("layers", None)
        if layers is not None:
            layers = [tf.keras.layers.deserialize(layer) for layer in layers]
        return cls(layers=layers, **config)


def _as_json(size: ImageSize) -> int | list[int]:
    return size if isinstance(size, int) else list(size)


def _described(layers: list[StatelessAugmentation]) -> list[tuple[type, dict]]:
    return [(type(layer), layer.get_config()) for layer in layers]
