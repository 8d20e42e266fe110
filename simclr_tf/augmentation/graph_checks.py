"""Values of images checked by a graph when it runs, and its error in plain words."""

from __future__ import annotations

import contextlib
import contextvars
import re
from collections.abc import Iterator

import tensorflow as tf

from simclr_tf.augmentation.value_range import (
    in_range,
    require_image_values,
    require_range,
    value_range,
)
from simclr_tf.errors import UserError

_in_range = contextvars.ContextVar("images_known_in_range", default=False)

_WANTED = (
    "Images must be uint8 in 0..255, uint16 in 0..65535 or floating point in [0, 1]. "
    "Divide floating-point pixels in 0..255 by 255, or cast them to uint8; leave out "
    "what standardises images; cast uint16 in 0..255 to uint8. Got"
)


@contextlib.contextmanager
def known_in_range() -> Iterator[None]:
    """Graphs that are traced within it do not check values.

    For code whose images were checked before, such as a training step.
    """
    token = _in_range.set(True)
    try:
        yield
    finally:
        _in_range.reset(token)


def checked_values(images: tf.Tensor) -> tf.Tensor:
    """The images, refused where their dtype or values are not those of images.

    An eager tensor is checked at once. Of a symbolic one the dtype is, and the graph
    reads the values when it runs, unless it is traced within `known_in_range`. What
    XLA compiles leaves the check out, as TensorFlow does with every assertion.

    Args:
      images: a dense tensor.

    Raises:
      UserError: where dtype or known values are wrong. A graph raises an
        InvalidArgumentError, which `explain_out_of_range` turns into a UserError.
    """
    require_image_values(images)
    # Keras' own symbolic tensors are no tf.Tensor; a layer is traced again with one.
    known = not isinstance(images, tf.Tensor) or isinstance(
        images, tf.__internal__.EagerTensor
    )
    if known or images.dtype == tf.uint8 or _in_range.get():
        return images
    with tf.control_dependencies([assert_in_range(images)]):
        return tf.identity(images)


def assert_in_range(images: tf.Tensor) -> tf.Operation:
    """An assertion about the values of a symbolic tensor of images."""
    lowest, highest = value_range(images)
    return tf.debugging.Assert(
        in_range(images.dtype, lowest, highest),
        [f"{_WANTED} {images.dtype.name}, lowest and highest value:", lowest, highest],
    )


def explain_out_of_range(error: tf.errors.OpError) -> None:
    """Raises UserError where an assertion of this module is the cause of an error."""
    found = re.search(
        rf"{re.escape(_WANTED)} (\w+), [^\]]*\] \[([^\]]*)\] \[([^\]]*)\]",
        error.message,
    )
    if found:
        try:
            require_range(found[1], float(found[2]), float(found[3]))
        except UserError as mistake:
            raise mistake from error
