"""Views of each image, as the host's CPU makes them fastest."""

from __future__ import annotations

from typing import Any, Protocol

import tensorflow as tf

from simclr_tf.augmentation.base import StatelessAugmentation, Transformations
from simclr_tf.augmentation.loops import (
    change_if,
    one_by_one,
    row_at,
    single_threaded,
)
from simclr_tf.augmentation.resize import CropTaps, crop_taps
from simclr_tf.augmentation.value_range import require_image_values
from simclr_tf.image_size import ImageSize, height_and_width


class HostAugmenter(Protocol):
    """What of a `SimCLRAugmenter` serves here."""

    image_size: ImageSize
    flip: Any
    compute_dtype: Any

    def keyed_layers(self) -> dict[str, StatelessAugmentation]: ...

    def sample_views(
        self,
        seeds: tf.Tensor,
        images: tf.Tensor,
        sizes: tf.Tensor | None = None,
        count: int = 2,
    ) -> Transformations: ...

    def view_of_one(
        self, image: tf.Tensor, taps: CropTaps, transformations: Transformations
    ) -> tf.Tensor: ...

    def view_of_planes(
        self, view: tf.Tensor, transformations: Transformations
    ) -> tf.Tensor: ...


def views_on_host(
    augmenter: HostAugmenter,
    images: tf.Tensor,
    seeds: tf.Tensor,
    *,
    sizes: tf.Tensor | None = None,
    count: int = 2,
) -> tf.Tensor:
    """`SimCLRAugmenter.views`, to be compiled by XLA for a CPU.

    The same views within rounding, image by image in one compiled loop: an image is
    in the cache from its crop to its last clip; a blur or a jitter that was not drawn
    takes no time; and the four operations of the jitter run in the order drawn. A
    whole batch at once would compute all four at each of the four places and select.

    Args:
      augmenter: draws the parameters.
      images: `[B, H, W, C]` of static H, W and C, uint8, uint16 or floating point in
        [0, 1].
      seeds: int32 `[B, 2]`.
      sizes: see `SimCLRAugmenter.views`.
      count: views of each image, V.

    Returns:
      `[B, V, h, w, C]` in [0, 1], in the augmenter's dtype.
    """
    images = tf.convert_to_tensor(images)
    require_image_values(images)
    channels = images.shape[-1]
    batch = images.shape[0] or tf.shape(images)[0]
    height, width = height_and_width(augmenter.image_size)
    dtype = augmenter.compute_dtype
    drawn = dict(augmenter.sample_views(seeds, images, sizes, count))
    crop_key, *other_keys = augmenter.keyed_layers()
    boxes = drawn.pop(crop_key)["boxes"]
    flip = tf.zeros_like(boxes[:, 0], tf.bool)
    if augmenter.flip is not None:
        flip = drawn.pop(other_keys[0])["flip"]
    unit = 1.0 if images.dtype.is_floating else 1.0 / images.dtype.max
    taps = crop_taps(boxes, flip, height, width, dtype, scale=unit)

    def one(index: tf.Tensor) -> tf.Tensor:
        image, view = index // count, index % count
        of_crop, of_view = tf.nest.map_structure(
            lambda rows: row_at(rows, view * batch + image), (taps, drawn)
        )
        of_crop = tf.nest.map_structure(lambda rows: rows[0], of_crop)
        return augmenter.view_of_one(row_at(images, image)[0], of_crop, of_view)

    shape = [height, width, channels]
    views = single_threaded(
        lambda: one_by_one(one, count * batch, shape, dtype),
        boxes[0, 2] > 0,  # A crop has rows.
        [count * batch, *shape],
        dtype,
    )
    return tf.reshape(views, [batch, count, *shape])


def views_of_crops_on_host(
    augmenter: HostAugmenter,
    crops: tf.Tensor,
    seeds: tf.Tensor,
    sizes: tf.Tensor,
) -> tf.Tensor:
    """`SimCLRAugmenter.views_of_crops`, to be compiled by XLA for a CPU.

    The same views within rounding, one by one as in `views_on_host`.

    Args:
      augmenter: draws the parameters of all layers but the crop.
      crops: uint8 `[B, V, image_size, image_size, 3]`.
      seeds: int32 `[B, 2]`.
      sizes: int32 `[B, 2]`, heights and widths of the images they were cut from.

    Returns:
      `[B, V, image_size, image_size, 3]` in [0, 1], in the augmenter's dtype.
    """
    batch, count, height, width, channels = crops.shape
    dtype = augmenter.compute_dtype
    drawn = dict(augmenter.sample_views(seeds, crops[:, 0], sizes, count))
    crop_key, *other_keys = augmenter.keyed_layers()
    del drawn[crop_key]
    flip = None
    if augmenter.flip is not None:
        flip = drawn.pop(other_keys[0])["flip"]
    flat = tf.reshape(crops, [batch * count, height, width, channels])

    def one(index: tf.Tensor) -> tf.Tensor:
        row = index % count * batch + index // count
        planes = tf.transpose(row_at(flat, index), [0, 2, 3, 1])
        if flip is not None:
            flipped = row_at(flip, row)[0]
            planes = change_if(flipped, lambda x: tf.reverse(x, [1]), planes)
        planes = tf.cast(planes, dtype) * (1.0 / crops.dtype.max)
        of_view = tf.nest.map_structure(lambda rows: row_at(rows, row), drawn)
        return augmenter.view_of_planes(planes, of_view)

    shape = [height, width, channels]
    views = single_threaded(
        lambda: one_by_one(one, batch * count, shape, dtype),
        sizes[0, 0] > 0,  # An image has rows.
        [batch * count, *shape],
        dtype,
    )
    return tf.reshape(views, crops.shape)
