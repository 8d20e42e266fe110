"""Images in TFRecord files as arrays: tensors that TensorFlow serialized.

For images that no JPEG or PNG holds: 2, 4 or more channels, 12 bits, floating point.
`tf.io.serialize_tensor(image)` makes one of an array `[H, W, C]` or `[H, W]`.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.framework import tensor_pb2

from simclr_tf.augmentation.value_range import (
    HIGHEST,
    LOWEST,
    require_image_values,
    scale_to_unit_range,
    value_range,
)
from simclr_tf.data.image_form import ImageForm
from simclr_tf.data.record_file import Scan
from simclr_tf.data.record_index import RecordIndex
from simclr_tf.data.records import NO_IMAGE, WHOLE, Parse, RecordCheck, RecordSource
from simclr_tf.data.source import DataError
from simclr_tf.errors import UserError

# Images that tell how many bits are used.
_LOOKED_AT = 64


class TensorImages(NamedTuple):
    """What all images of a data set have in common.

    Attributes:
      dtype: of the arrays.
      shape: of the arrays, `(H, W, C)` or `(H, W)`.
    """

    dtype: tf.DType
    shape: tuple[int, ...]

    def stored_shape(self) -> tuple[int, int, int]:
        """`(H, W, C)`, where arrays without an axis of channels have one."""
        height, width, channels = (*self.shape, 1)[:3]
        return height, width, channels

    def decode(self, contents: tf.Tensor, form: ImageForm) -> tf.Tensor:
        """A serialized image as a source gives it.

        Args:
          contents: a scalar string.
          form: channels, and the values of black and white.

        Returns:
          `[H, W, C]`, uint8, uint16, or floating point in [0, 1].

        Raises:
          tf.errors.InvalidArgumentError: when it runs, where the image is of another
            dtype or shape, or its values are out of their range.
        """
        stored = self.stored_shape()
        image = tf.reshape(tf.io.parse_tensor(contents, self.dtype), stored)
        if form.value_range is not None:
            image = scale_to_unit_range(
                _within(image, form.value_range), form.value_range
            )
        elif self.dtype.is_floating:
            image = tf.cast(_within(image, (LOWEST, HIGHEST)), tf.float32)
        wanted = form.shape_of((1, *stored), "tfrecord")[1:]
        if wanted[-1] != stored[-1]:
            image = tf.image.grayscale_to_rgb(image)
        return tf.ensure_shape(image, wanted)


def _within(image: tf.Tensor, values: tuple[float, float]) -> tf.Tensor:
    """The image; an error when it runs where a value is not in a range."""
    lowest, highest = value_range(image)
    inside = (lowest >= values[0]) & (highest <= values[1])
    message = [f"an image has values out of {values[0]:g}..{values[1]:g}: from"]
    check = tf.debugging.Assert(inside, [*message, lowest, "to", highest])
    with tf.control_dependencies([check]):
        return tf.identity(image)


def tensors_in(contents: bytes) -> TensorImages | None:
    """What an image is, if it is a serialized tensor; None where it is none.

    Args:
      contents: of an image of the data set, such as the first.
    """
    try:
        proto = tensor_pb2.TensorProto.FromString(contents)
    except DecodeError:
        return None
    shape = tuple(side.size for side in proto.tensor_shape.dim)
    if not proto.dtype or len(shape) not in (2, 3) or not np.prod(shape) > 0:
        return None
    dtype = tf.as_dtype(proto.dtype)
    numbers = dtype.is_floating or dtype.is_integer
    return TensorImages(dtype, shape) if numbers else None


class TensorCheck(RecordCheck):
    """`RecordCheck` of serialized tensors: each is of the dtype and shape of the first.

    Args:
      parse: of `RecordSource`.
      images: what they have in common.
    """

    def __init__(self, parse: Parse, images: TensorImages) -> None:
        self._images = images
        super().__init__(parse)

    def _look(self, record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        contents, label = self._parse(record)
        shape = tf.shape(tf.io.parse_tensor(contents, self._images.dtype))
        wanted = tf.constant(self._images.shape)
        same = tf.cond(
            tf.equal(tf.size(shape), tf.size(wanted)),
            lambda: tf.reduce_all(tf.equal(shape, wanted)),
            lambda: False,
        )
        return tf.where(same, WHOLE, NO_IMAGE), label

    def _require_image(self, file: str, scan: Scan, place: int, state: int) -> None:
        raise DataError(
            f"{file}: the image of record {place} (from 0) has another shape than the "
            f"first, {self._images.shape}: store them all in one."
        )


def tensor_source(
    index: RecordIndex,
    parse: Parse,
    images: TensorImages,
    form: ImageForm,
    **about: Any,
) -> RecordSource:
    """A source of serialized tensors.

    Args:
      index: where the records are.
      parse: of `RecordSource`.
      images: what they have in common.
      form: channels, and the values of black and white.
      **about: of `Source`.

    Raises:
      DataError: where images cannot be given in that form.
    """
    where = about["spec"]
    _, height, width, channels = form.shape_of((1, *images.stored_shape()), where)
    small = images.dtype in (tf.uint8, tf.uint16)
    if form.value_range is None and not (small or images.dtype.is_floating):
        raise DataError(
            f"{where}: images must be uint8, uint16 or floating point in [0, 1], got "
            f"{images.dtype.name}. Of others state the values of black and white: "
            "--value_range=0,4095."
        )
    source = RecordSource(
        index,
        parse,
        None,
        decode=functools.partial(images.decode, form=form),
        image_shape=(height, width, channels),
        **about,
    )
    if images.dtype == tf.uint16 and form.value_range is None:
        _require_all_bits(source)
    return source


def _require_all_bits(source: RecordSource) -> None:
    """Raises DataError where images of fewer bits would be nearly black."""
    places = np.unique(np.linspace(0, len(source) - 1, _LOOKED_AT).astype(np.int64))
    batches = tf.data.Dataset.from_tensors(tf.constant(places))
    images = next(iter(source.read(batches)))["image"]
    try:
        require_image_values(images)
    except UserError as error:
        raise DataError(f"{source.spec}: {error}") from None
