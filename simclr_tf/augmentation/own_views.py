"""Views by a layer or a function of the user's own."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from simclr_tf.augmentation.base import to_unit_range
from simclr_tf.augmentation.value_range import require_image_dtype
from simclr_tf.errors import UserError


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class OwnViews(tf.keras.layers.Layer):
    """Views by any Keras or keras-cv layer, `Sequential`, or function of images.

    Each call gives a view, so that two calls give two. `SimCLR(augmenter=…)` and
    `Learner(augmenter=…)` make one of what they are given, unless it has a method
    `two_views` itself. It is called with batches as the data holds them, uint8 or
    floating point in [0, 1], inside the training step, with `training=True` where it
    takes that, and gives images [B, h, w, C] of one size for all.

    What is lost in comparison with `SimCLRAugmenter`:

    - Layers derived from Keras' `BaseRandomLayer` (`RandomFlip`, `RandomRotation`, …)
      draw from (seed, step, replica), so that a run repeats and resumes to the bit on
      as many replicas. Other replicas, or batches, give other views of an image.
    - keras-cv's layers, and functions that call `tf.random`, draw from a state of
      their own: such a run is not repeated or resumed to the bit. `Learner` finds out
      which of the two it is and says so.
    - `"seeds"` in the data do not decide the views, and `"size"` is refused.
    - The views of all micro-batches are held in memory at a time.
    - The input pipeline cannot make them; map your layer over your own dataset and
      give `{"views": …}` for that.

    Examples:
      >>> flip = tf.keras.layers.RandomFlip("horizontal")
      >>> views = simclr_tf.augmentation.OwnViews(flip)
      >>> views.two_views(tf.random.uniform([4, 8, 8, 3])).shape
      TensorShape([4, 2, 8, 8, 3])

    Args:
      augment: a layer, or a function of images `[B, H, W, C]` made of TensorFlow's
        operations. Saved with the model: a function must be importable by its name or
        registered with `tf.keras.utils.register_keras_serializable`.
      value_range: the values of black and white in floating-point views, such as
        (0, 255). Where None, that is (0, 1) for images in [0, 1]; for uint8 images it
        is found out before the first step, since keras-cv's layers give floating point
        in 0..255 for them and others give [0, 1].
      **kwargs: of `tf.keras.layers.Layer`.

    Raises:
      UserError: where `augment` cannot be called, or gives no images.
    """

    def __init__(
        self,
        augment: Callable[..., tf.Tensor],
        *,
        value_range: tuple[float, float] | None = None,
        **kwargs,
    ) -> None:
        kwargs.setdefault("dtype", tf.keras.backend.floatx())
        # What it is made of may compute in any dtype, and learns nothing.
        super().__init__(trainable=False, autocast=False, **kwargs)
        if not callable(augment):
            raise UserError(
                "augmenter must be a Keras layer or a function of images, or have a "
                f"method two_views, got a {type(augment).__name__}."
            )
        self.augment = augment
        self.value_range = None if value_range is None else tuple(value_range)
        # Keras would track a dict of the layer's own.
        self._found = types.SimpleNamespace(ranges={})
        is_layer = isinstance(augment, tf.keras.layers.Layer)
        called = getattr(augment, "call", augment) if is_layer else augment
        parameters = _parameters(called).values()
        self._takes_training = any(
            each.name == "training" or each.kind is inspect.Parameter.VAR_KEYWORD
            for each in parameters
        )

    @property
    def title(self) -> str:
        """What the augmentation is called, for messages."""
        named = getattr(self.augment, "__name__", None)
        return named or type(self.augment).__name__

    @property
    def found_ranges(self) -> dict[tf.DType, tuple[float, float]]:
        """Black and white in views, by the dtype of images: what `examine` found."""
        return self._found.ranges

    @property
    def trainable_weights(self) -> list:
        """None: nothing of it learns."""
        return []

    @property
    def non_trainable_weights(self) -> list:
        """None: a layer's state is its own, and may be made by its first images."""
        return []

    def made_of(self, images: tf.Tensor) -> tf.Tensor:
        """What `augment` makes of images, in its own dtype and range."""
        settings = {"training": True} if self._takes_training else {}
        made = self.augment(images, **settings)
        if not tf.is_tensor(made) or isinstance(made, tf.RaggedTensor):
            raise UserError(
                f"augmenter {self.title} must give a dense tensor of images, got a "
                f"{type(made).__name__}."
            )
        require_image_dtype(made)
        if made.shape.rank not in (4, None):
            raise UserError(
                f"augmenter {self.title} must give a batch of images [B, h, w, C], got "
                f"shape {made.shape}."
            )
        return made

    def range_of(self, images: tf.DType) -> tuple[float, float] | None:
        """Black and white in floating-point views of images; None where unknown."""
        if self.value_range is not None:
            black, white = self.value_range
            return black, white
        return (0.0, 1.0) if images.is_floating else self.found_ranges.get(images)

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """Images `[B, H, W, C]` to a view of each, floating point in [0, 1]."""
        made = self.made_of(images)
        if not made.dtype.is_floating:
            return to_unit_range(made, self.compute_dtype)
        values = self.range_of(images.dtype)
        if values is None:
            raise UserError(
                f"Whether augmenter {self.title} gives views in [0, 1] or in 0..255 is "
                "unknown here: say it, "
                "augmenter=OwnViews(augment, value_range=(0, 255))."
            )
        black, white = values
        made = tf.cast(made, self.compute_dtype)
        return made if (black, white) == (0, 1) else (made - black) / (white - black)

    def two_views(
        self,
        images: tf.Tensor,
        seeds: tf.Tensor | None = None,
        *,
        sizes: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Two views of each image: `views` with a count of 2."""
        return self.views(images, seeds, sizes=sizes)

    def views(
        self,
        images: tf.Tensor,
        seeds: tf.Tensor | None = None,
        *,
        sizes: tf.Tensor | None = None,
        count: int = 2,
    ) -> tf.Tensor:
        """Views of each image, `[B, count, h, w, C]` in Keras' `floatx`.

        Args:
          images: `[B, H, W, C]`, uint8 or floating point in [0, 1].
          seeds: not used.
          sizes: must be None.
          count: views of each image.
        """
        del seeds  # `augment` draws as it likes.
        if sizes is not None:
            raise UserError(
                'Images with "size" beside them lie on larger canvases, of which '
                f"augmenter {self.title} knows nothing: leave it out, or use "
                "SimCLRAugmenter."
            )
        return tf.stack([self(images) for _ in range(count)], axis=1)

    def get_config(self) -> dict:
        try:
            augment = tf.keras.saving.serialize_keras_object(self.augment)
        except (TypeError, ValueError, NotImplementedError) as error:
            raise UserError(
                f"augmenter {self.title} cannot be saved with the model: give its "
                "class get_config and register it with "
                f"tf.keras.utils.register_keras_serializable ({error})."
            ) from error
        return {
            **super().get_config(),
            "augment": augment,
            "value_range": self.value_range and list(self.value_range),
        }

    @classmethod
    def from_config(cls, config: dict) -> OwnViews:
        config = dict(config)
        config.pop("trainable", None)
        kept = config.pop("augment")
        deserialize = tf.keras.saving.deserialize_keras_object
        # In the older form, that of a SavedModel, it finds no layer by its name.
        if isinstance(kept, dict) and "module" not in kept:
            deserialize = tf.keras.layers.deserialize
        return cls(deserialize(kept), **config)


def as_augmenter(augmenter: Any) -> Any:
    """An augmenter that `Learner` can use, of what the user gave; None stays None."""
    if augmenter is None or hasattr(augmenter, "two_views"):
        return augmenter
    return OwnViews(augmenter)


def _parameters(function: Any) -> Any:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # Of a function that is not written in Python.
        return {}
