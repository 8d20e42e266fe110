"""What values images may have: checked by dtype in a graph, by value outside one."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from simclr_tf.errors import UserError

# Bicubic resizing overshoots [0, 1] by less than a half. Pixels in 0..255 and
# standardised images go beyond.
LOWEST, HIGHEST = -0.5, 1.5
# uint16 images are divided by 65,535. Those of 8 to 12 bits that were not scaled up
# to 16 would come out nearly black.
_DARKEST_UINT16 = 4096

# An axis that is so short is one of channels, and not of pixels.
_FEW = 4
_LEAST_PIXELS = 8

_WANTED = (
    "Images must be uint8 in 0..255, uint16 in 0..65535 or floating point in [0, 1]"
)
_INTEGERS = (tf.uint8, tf.uint16)


def require_image_dtype(images: Any) -> None:
    """Raises UserError unless the dtype is uint8, uint16 or floating point.

    It reads no values, so that it costs nothing in a graph.

    Args:
      images: a tensor, symbolic or eager, an array, or anything with a `dtype`.
    """
    dtype = tf.as_dtype(images.dtype)
    if dtype.is_floating or dtype in _INTEGERS:
        return
    raise UserError(
        f"{_WANTED}, got {dtype.name}. If their values are 0..255, cast to uint8: "
        "tf.cast(images, tf.uint8) or images.astype('uint8')."
    )


def require_image_values(images: Any) -> None:
    """Raises UserError unless dtype and values are those of images.

    Values are read where they are known, in an eager tensor or an array; of a
    symbolic tensor only the dtype is checked.

    Args:
      images: a tensor, also a ragged one, or an array.
    """
    if not hasattr(images, "dtype"):
        images = np.asarray(images)
    require_image_dtype(images)
    values = images.flat_values if isinstance(images, tf.RaggedTensor) else images
    if isinstance(values, (np.ndarray, tf.__internal__.EagerTensor)):
        require_range(values.dtype, *map(float, value_range(values)))


def value_range(images: Any) -> tuple[Any, Any]:
    """The lowest and the highest value, float64 scalars; NaN where one of them is NaN.

    An empty batch has the range of a black one.

    Args:
      images: a tensor, eager or symbolic, or an array.
    """
    if isinstance(images, np.ndarray):
        if not images.size:
            return 0.0, 0.0
        # NumPy's minimum is NaN where a value is. Of bfloat16 it has none.
        if images.dtype.kind in "fu":
            return float(images.min()), float(images.max())
    values = tf.convert_to_tensor(images)
    if values.dtype == tf.uint16:
        values = tf.cast(values, tf.int32)  # uint16 has no reduction on some devices.
    # Of no values, minimum and maximum are infinite.
    some = tf.size(values) > 0
    lowest, highest = (
        tf.where(some, tf.cast(extreme, tf.float64), 0.0)
        for extreme in (tf.reduce_min(values), tf.reduce_max(values))
    )
    if values.dtype.is_floating:
        # Minimum and maximum pass over NaN on some devices; a sum does not.
        wrong = tf.math.is_nan(tf.reduce_sum(values))
        nan = tf.constant(np.nan, tf.float64)
        lowest, highest = tf.where(wrong, nan, lowest), tf.where(wrong, nan, highest)
    return lowest, highest


def in_range(dtype: Any, lowest: Any, highest: Any) -> Any:
    """Whether images of a dtype may have values in a range; NaN may not.

    Args:
      dtype: of the images as they were given.
      lowest: the lowest value among them, a number or a scalar tensor.
      highest: the highest.
    """
    dtype = tf.as_dtype(dtype)
    if dtype == tf.uint16:
        return (highest <= 0) | (highest >= _DARKEST_UINT16)
    return (not dtype.is_floating) | (lowest >= LOWEST) & (highest <= HIGHEST)


def looks_channels_first(shape: Any) -> bool:
    """Whether `[..., H, W, C]` is more likely `[..., C, H, W]`.

    Args:
      shape: a sequence of sides, None where one is unknown.
    """
    height, _, channels = shape[-3:]
    if height is None or channels is None:
        return False
    return height <= _FEW and channels >= _LEAST_PIXELS


def parse_value_range(given: Any) -> tuple[float, float]:
    """Black and white of images, from two numbers or a text such as "0,4095".

    Raises:
      UserError: where they are not two numbers, the second above the first.
    """
    try:
        parts = given.split(",") if isinstance(given, str) else given
        black, white = map(float, parts)
    except (TypeError, ValueError):
        black, white = 0.0, 0.0
    if not (np.isfinite([black, white]).all() and white > black):
        raise UserError(
            "value_range must be the values of black and white, two numbers with the "
            f"second above the first, such as 0,4095, got {given!r}."
        )
    return black, white


def require_within(
    stated: tuple[float, float], lowest: float, highest: float, where: str = "Images"
) -> None:
    """Raises UserError unless values lie in the range that was stated for them."""
    black, white = stated
    if black <= lowest and highest <= white:
        return
    if np.isnan(lowest) or np.isnan(highest):
        raise UserError(f"{where} have NaN among their values.")
    raise UserError(
        f"{where} were said to have values from {black:g} to {white:g} by value_range, "
        f"and have {lowest:g} to {highest:g}: state a range that holds them all, or "
        "clip them."
    )


def scale_to_unit_range(images: Any, stated: tuple[float, float]) -> tf.Tensor:
    """Images of a stated range as floating point in [0, 1], in Keras' `floatx`.

    Args:
      images: of any dtype of real numbers; their values are not checked.
      stated: the values that become 0 and 1.
    """
    black, white = stated
    images = tf.cast(images, tf.keras.backend.floatx())
    return (images - black) / (white - black)


def require_range(dtype: Any, lowest: float, highest: float) -> None:
    """Raises UserError unless images of a dtype may have values in a range.

    Args:
      dtype: of the images as they were given.
      lowest: the lowest value among them.
      highest: the highest.
    """
    dtype = tf.as_dtype(dtype)
    if in_range(dtype, lowest, highest):
        return
    if dtype == tf.uint16:
        raise UserError(
            f"{_WANTED}, got uint16 that reaches only {highest:g}, which would be "
            "nearly black. Cast values in 0..255 to uint8; of others state the range, "
            "value_range=(0, 4095) for 12 bits, or divide by their greatest possible "
            "value, as in images / 4095."
        )
    if np.isnan(lowest) or np.isnan(highest):
        raise UserError(f"{_WANTED}, got {dtype.name} with NaN among them.")
    got = f"{_WANTED}, got {dtype.name} from {lowest:g} to {highest:g}."
    if lowest < LOWEST:
        raise UserError(
            f"{got} Leave out what standardises them, or undo it: "
            "(images + 1) / 2 of images in [-1, 1]."
        )
    raise UserError(
        f"{got} Divide pixels in 0..255 by 255, or cast to uint8: "
        "tf.cast(images, tf.uint8)."
    )
