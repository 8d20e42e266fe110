"""In which form a source gives images: their channels, and what black and white are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simclr_tf.augmentation.value_range import (
    looks_channels_first,
    parse_value_range,
    require_range,
    require_within,
)
from simclr_tf.data.source import DataError
from simclr_tf.errors import UserError


class ImageForm(NamedTuple):
    """What a user says of images; None is what the data itself says.

    Examples:
      >>> form = simclr_tf.data.ImageForm(channels=1, value_range=(0, 4095))
      >>> planes = np.full([4, 8, 8, 1], 4095, np.int32)
      >>> dataset = tf.data.Dataset.from_tensor_slices(planes)
      >>> simclr_tf.data.from_dataset(dataset, form=form).image_shape
      (8, 8, 1)

    Attributes:
      channels: of the images. Grey ones become RGB unless it is 1.
      value_range: the values of black and white, where the dtype does not say them.
    """

    channels: int | None = None
    value_range: tuple[float, float] | None = None

    @classmethod
    def of(cls, channels: int | None, value_range: str | None) -> ImageForm:
        """The form that settings of a run say, `value_range` as in "0,4095"."""
        values = None if value_range is None else parse_value_range(value_range)
        return cls(channels, values)

    def shape_of(self, shape: tuple[int, ...], where: str) -> tuple[int, ...]:
        """The shape `[..., H, W, C]` that images of an array's shape are given in.

        Args:
          shape: as it is stored, with the last axis one of channels.
          where: what it is the shape of, for messages.

        Raises:
          DataError: where the channels are others than those said, or come first.
        """
        stored = shape[-1]
        if looks_channels_first(shape):
            raise DataError(
                f"{where}: images must have their channels last, [N, H, W, C], and "
                f"shape {shape} looks like [N, C, H, W]: np.moveaxis(images, 1, -1) "
                "moves them."
            )
        if stored == 1 and self.channels in (None, 3):
            return (*shape[:-1], 3)
        if self.channels not in (None, stored):
            raise DataError(
                f"{where}: images have {stored} channels, and channels={self.channels} "
                "was said, or is what the encoder was trained on: leave it out, or "
                "give images that fit it."
            )
        return shape

    def require_values(
        self, dtype: np.dtype, lowest: float, highest: float, where: str
    ) -> None:
        """Raises DataError unless images of a dtype may have such values."""
        try:
            if self.value_range is not None:
                require_within(self.value_range, lowest, highest)
            else:
                require_range(dtype, lowest, highest)
        except UserError as error:
            raise DataError(f"{where}: {error}") from None


# What the data says of itself.
AS_IT_IS = ImageForm()
