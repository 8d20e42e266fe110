"""What a batch of training data holds, in any form that is accepted."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from simclr_tf.augmentation.value_range import (
    looks_channels_first,
    require_image_dtype,
)
from simclr_tf.errors import UserError
from simclr_tf.loss.class_numbers import require_labels

# What the encoder's views are, or are made of, the readiest first.
_INPUTS = ("views", "crops", "image")
# A last axis that is longer is one of pixels.
_MOST_CHANNELS = 4


class Batch(NamedTuple):
    """Images, crops of them, or their views, and what goes with each.

    Images are `[B, H, W, C]`, views and crops `[B, V, H, W, C]`, labels int32 `[B]`,
    seeds and sizes int32 `[B, 2]` as `SimCLRAugmenter.views` and `views_of_crops` have
    them; None is what is missing.
    """

    images: tf.Tensor | None
    views: tf.Tensor | None
    labels: tf.Tensor | None
    seeds: tf.Tensor | None
    sizes: tf.Tensor | None
    crops: tf.Tensor | None = None

    @property
    def inputs(self) -> Any:
        """The views where there are some, otherwise the crops, otherwise the images."""
        given = (self.views, self.crops, self.images)
        return next((each for each in given if each is not None), None)

    def rows(self, begin: tf.Tensor, size: int) -> Batch:
        """A batch of `size` examples from `begin` on."""
        return Batch(
            *[each if each is None else _rows(each, begin, size) for each in self]
        )

    def micro_batch_size(self, count: int) -> int:
        """Examples in each of `count` micro-batches.

        Raises:
          UserError: where micro-batches cannot be of one known size.
        """
        local = self.inputs.shape[0]
        if local is None:
            raise UserError(
                "micro_batches above 1 needs batches of a known size: batch with "
                "drop_remainder=True."
            )
        if local % count:
            raise UserError(
                f"A replica's batch of {local} images cannot be cut into {count} equal "
                "micro batches."
            )
        return local // count


def _rows(rows: tf.Tensor, begin: tf.Tensor, size: int) -> tf.Tensor:
    rest = [-1 if side is None else side for side in rows.shape[1:]]
    return tf.slice(rows, [begin] + [0] * len(rest), [size, *rest])


def inputs_of(data: Any) -> Any:
    """The views, crops or images in data of any form; None where there are none."""
    if isinstance(data, (tuple, list)):
        data = data[0] if data else None
    if isinstance(data, dict):
        given = (data.get(name) for name in _INPUTS)
        data = next((each for each in given if each is not None), None)
    return data


def with_inputs(data: Any, inputs: tf.Tensor) -> Any:
    """Data of any form with other views or images in place of its own."""
    if isinstance(data, (tuple, list)):
        return (with_inputs(data[0], inputs), *data[1:])
    if isinstance(data, dict):
        name = "image" if data.get("views") is None else "views"
        return {**data, name: inputs}
    return inputs


def images_spec(data: Any) -> tf.TensorSpec | None:
    """Shape and dtype of the images in data of any form that `fit` takes.

    None where there are none, or where that is not known before they are read. The
    first axis is None where it is not that of a batch.
    """
    is_dataset = isinstance(data, (tf.data.Dataset, tf.distribute.DistributedDataset))
    data = data.element_spec if is_dataset else data
    if isinstance(data, tf.keras.utils.Sequence):
        data = data[0]
    images = inputs_of(data)
    holder = data[0] if isinstance(data, (tuple, list)) and data else data
    if isinstance(holder, dict) and holder.get("views") is not None:
        return None
    images = getattr(images, "_value_specs", [images])[0]  # Of several replicas.
    if not hasattr(images, "shape") or not hasattr(images, "dtype"):
        return None
    shape = tf.TensorShape(images.shape)
    if not is_dataset and shape.rank is not None:
        shape = tf.TensorShape([None]).concatenate(shape[1:])
    return tf.TensorSpec(shape, tf.as_dtype(images.dtype))


def labels_of(data: Any) -> Any:
    """The labels in data of any form; None where there are none."""
    if isinstance(data, (tuple, list)):
        if len(data) > 1:
            return data[1]
        data = data[0] if data else None
    return data.get("label") if isinstance(data, dict) else None


def unpack(data: Any, *, views: int = 2) -> Batch:
    """Reads images, `(images, labels)` or a dict, with so many views of each image.

    Raises:
      UserError: for any other form, dtype or rank.
    """
    labels = None
    if isinstance(data, (tuple, list)):
        if len(data) not in (1, 2):
            raise UserError(
                "SimCLR takes images, (images, labels) or a dict, got a tuple of "
                f"{len(data)}. Sample weights are not used."
            )
        data, labels = data[0], data[1] if len(data) == 2 else None
    if not isinstance(data, dict):
        data = {"image": data}
    if labels is None:
        labels = data.get("label")
    if not set(_INPUTS) & set(data):
        raise UserError(
            f'A dict of data must hold "image" or "views", got the keys {sorted(data)}.'
        )
    batch = Batch(
        images=data.get("image"),
        views=data.get("views"),
        labels=labels,
        seeds=data.get("seeds"),
        sizes=data.get("size"),
        crops=data.get("crops"),
    )
    _require_inputs(batch, views)
    return batch if labels is None else batch._replace(labels=_class_numbers(labels))


def _require_inputs(batch: Batch, views: int) -> None:
    inputs = batch.inputs
    require_image_dtype(inputs)
    if inputs.shape.rank is None:
        return
    if batch.crops is not None and (batch.seeds is None or batch.sizes is None):
        raise UserError(
            '"crops" need beside them the "seeds" and "size" that pretrain_batches '
            "gives."
        )
    if batch.views is not None:
        if inputs.shape.rank != 5 or inputs.shape[1] not in (views, None):
            raise UserError(
                f'"views" must be [B, {views}, H, W, C], {views} views of each image, '
                f"got shape {inputs.shape}: tf.stack([a, b, …], axis=1) makes it of "
                "views a, b, …."
            )
    elif batch.crops is None and inputs.shape.rank != 4:
        raise UserError(
            f"Images must be a batch [B, H, W, C], got shape {inputs.shape}."
            + (_remedy(inputs.shape) if inputs.shape.rank == 3 else "")
        )
    _require_channels_last(inputs.shape)


def _require_channels_last(shape: tf.TensorShape) -> None:
    if looks_channels_first(shape.as_list()):
        raise UserError(
            f"Images must have their channels last, [B, H, W, C], and shape {shape} "
            "looks like [N, C, H, W]: tf.transpose(images, [0, 2, 3, 1]) moves them."
        )


def _remedy(shape: tf.TensorShape) -> str:
    """How images of three axes become a batch of four."""
    if shape[-1] is not None and shape[-1] <= _MOST_CHANNELS:
        return " Batch the dataset first."
    return (
        " Images of one channel need an axis for it, images[..., tf.newaxis], which "
        "makes [B, H, W, 1] of [B, H, W]. Batch the dataset first, if these are single "
        "images."
    )


def _class_numbers(labels: tf.Tensor) -> tf.Tensor:
    """Labels `[B]` or `[B, 1]` as int32 `[B]`; those of a graph were checked before."""
    require_label_shape(labels)
    if isinstance(labels, tf.__internal__.EagerTensor):
        require_labels(labels)
    return tf.reshape(tf.cast(labels, tf.int32), [-1])


def require_label_shape(labels: Any) -> None:
    """Raises UserError unless labels, or their spec, may be `[B]` or `[B, 1]`."""
    rank = tf.TensorShape(labels.shape).rank
    if rank is not None and rank > 2:
        raise UserError(
            f"Labels must be integers [B], got shape {labels.shape}, which is that of "
            "images. If the pair holds two views a and b of each image, give them as "
            '{"views": tf.stack([a, b], axis=1)}.'
        )
    if rank == 2 and labels.shape[1] != 1:
        raise UserError(
            f"Labels must be integers [B], got shape {labels.shape}. If they are "
            "one-hot, give tf.argmax(labels, axis=1)."
        )
