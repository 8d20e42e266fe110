"""What settings of any training say of the images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simclr_tf.augmentation.value_range import parse_value_range
from simclr_tf.data import ImageForm
from simclr_tf.image_size import parse_image_size


class SaysImages:
    """A frozen dataclass whose fields say the size and the values of images.

    Attributes:
      image_size: of the views, in pixels; None where it is not said.
      channels: of the images; None where it is not said.
      value_range: black and white, as in "0,4095"; None where it is not said.
    """

    if TYPE_CHECKING:  # At run time they are the dataclass's own, in its own order.
        image_size: Any
        channels: Any
        value_range: Any

    def __post_init__(self) -> None:
        """Gives sizes and ranges the one form they have; UserError if they are none."""
        if self.image_size is not None:
            size = parse_image_size(self.image_size)
            object.__setattr__(self, "image_size", size)
        if self.value_range is not None:
            black, white = parse_value_range(self.value_range)
            object.__setattr__(self, "value_range", f"{black:.17g},{white:.17g}")

    @property
    def form(self) -> ImageForm:
        """What is said of the data's images."""
        return ImageForm.of(self.channels, self.value_range)
