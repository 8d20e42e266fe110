"""What is exported: a model, and the images that it is to answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from simclr_tf.augmentation import evaluation_view
from simclr_tf.export.precision import computing_in
from simclr_tf.export.saved_model import channels_seen
from simclr_tf.image_size import ImageSize, height_and_width, image_size_text
from simclr_tf.model import Learner
from simclr_tf.version import __version__


@dataclasses.dataclass(frozen=True)
class Served:
    """A model as other formats than the SavedModel hold it, in float32.

    Attributes:
      model: a built `Learner`.
      image_size: side of what its encoder sees of an image, or height and width.
      classes: names, where its head is a classifier; None where features are served.
      input_size: the one size of images that it is to take; None for any.
    """

    model: Learner
    image_size: ImageSize
    classes: Sequence[str] | None = None
    input_size: ImageSize | None = None

    @property
    def channels(self) -> int:
        """Of the images that the model was built for."""
        return channels_seen(self.model)

    @property
    def output(self) -> str:
        """The name of what is answered."""
        return "features" if self.classes is None else "probabilities"

    @property
    def view_sides(self) -> tuple[int, int]:
        """Height and width of what the encoder sees."""
        return height_and_width(self.image_size)

    @property
    def input_sides(self) -> tuple[int | None, int | None]:
        """Height and width of the images; None of any."""
        if self.input_size is None:
            return None, None
        return height_and_width(self.input_size)

    def answer(self, images: tf.Tensor) -> tf.Tensor:
        """What the model itself answers: features `[B, D]`, probabilities `[B, K]`.

        Args:
          images: `[B, H, W, C]`, uint8 or floating point in [0, 1].
        """
        with computing_in(self.model, "float32"):
            views = evaluation_view(images, self.image_size)
            features = self.model(views, training=False)
            if self.classes is None:
                return features
            return tf.nn.softmax(self.model.projection_head(features, training=False))

    def as_input(self, image: tf.Tensor) -> tf.Tensor:
        """An image `[H, W, C]` as float32 in [0, 1].

        Where images have one size, it is the largest centre of their ratio, resized.
        """
        if self.input_size is None:
            image = (
                image if image.dtype.is_floating else tf.cast(image, tf.float32) / 255
            )
            return tf.cast(image, tf.float32)
        return evaluation_view(image[None], self.input_size, crop_proportion=1.0)[0]

    def described(self) -> dict[str, Any]:
        """What a file beside the export says of it."""
        width = self.answer(tf.zeros([1, *self.view_sides, self.channels])).shape[-1]
        says: dict[str, Any] = {
            "images": f"float32 in [0, 1], [batch, height, width, {self.channels}]",
            "input_size": self.input_size and image_size_text(self.input_size),
            "image_size": image_size_text(self.image_size),
            "channels": self.channels,
            "output": self.output,
            "simclr_tf": __version__,
            "tensorflow": tf.version.VERSION,
        }
        if self.classes is None:
            return {**says, "feature_dim": width}
        return {**says, "classes": list(self.classes)}
