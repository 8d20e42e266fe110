"""Random colour jitter: brightness, contrast, saturation and hue in any order."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation import color
from simclr_tf.augmentation.base import (
    Drawn,
    StatelessAugmentation,
    Transformations,
    per_image,
    require_probability,
)
from simclr_tf.errors import UserError

_RULES = ("multiplicative", "additive")
# Folded into an image's seeds for the factors of its second channel and those after it.
_FURTHER_CHANNELS = 1


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class RandomColorJitter(StatelessAugmentation):
    """Jitters colour as SimCLR does (appendix A, `color_distortion`).

    Four operations in an order drawn for each image, the result clipped to
    [0, 1] after each. With strength s, brightness, contrast and saturation
    factors are uniform in [1 - 0.8s, 1 + 0.8s], cut at 0, and hue turns by a
    share of the circle uniform in [-0.2s, 0.2s].

    We differ from the published code where 0.8s > 1: its contrast and
    saturation raise an error there, ours cut the factor at 0 as its brightness
    does.

    Images of other channels than three have no hue and no saturation: both leave them
    as they are. Brightness and contrast of each channel have a factor of its own there,
    the first channel's being that which an RGB image would have. So an image of one
    channel is jittered as a grey RGB image is.

    Examples:
      >>> jitter = simclr_tf.augmentation.RandomColorJitter(0.5)
      >>> jitter(tf.random.uniform([4, 8, 8, 3])).shape
      TensorShape([4, 8, 8, 3])

    Args:
      strength: s above, finite and >= 0.
      probability: share of images jittered, in [0, 1].
      brightness_rule: "multiplicative" (v2), or "additive" (v1: adds a shift
        uniform in [-0.8s, 0.8s]).
      seed: see `StatelessAugmentation`.
      **kwargs: of `tf.keras.layers.Layer`.

    Raises:
      UserError: if an argument is out of its range.
    """

    stream = 2
    moves_pixels = False

    def __init__(
        self,
        strength: float = 1.0,
        *,
        probability: float = 0.8,
        brightness_rule: str = "multiplicative",
        seed: int | None = None,
        **kwargs,
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        if not 0.0 <= strength < math.inf:
            raise UserError(f"strength must be at least 0 and finite, got {strength}.")
        if brightness_rule not in _RULES:
            raise UserError(
                f"brightness_rule must be one of {_RULES}, got {brightness_rule!r}."
            )
        self.strength = float(strength)
        self.probability = require_probability("probability", probability)
        self.brightness_rule = brightness_rule

    def sample(self, seeds: tf.Tensor, sizes: tf.Tensor) -> Transformations:
        """Parameters `[B]` per operation, and which operation comes when.

        Returns:
          `apply` bool `[B]`; `brightness`, `contrast`, `saturation` factors (or
          brightness shift) and `hue` in turns, `[B]`; `order` int32 `[B, 4]`,
          the operations 0 to 3 in that order, first to last; and `seeds` `[B, 2]`, of
          the factors of further channels.
        """
        draws = randomness.uniform(seeds, self.stream, 9, self.compute_dtype)
        return {
            "apply": draws[:, 0] < self.probability,
            "brightness": self._brightness(draws[:, 1]),
            "contrast": self._factor(draws[:, 2]),
            "saturation": self._factor(draws[:, 3]),
            "hue": _centred(draws[:, 4], 0.2 * self.strength),
            "order": _random_order(draws[:, 5:9]),
            "seeds": tf.cast(seeds, tf.int32),
        }

    def describe(self, drawn: Drawn, shape: tuple[int, int, int]) -> str:
        additive = self.brightness_rule == "additive"
        brightness = f"{drawn['brightness']:{'+.2f' if additive else '.2f'}}"
        lines = [f"brightness {brightness}", f"contrast {drawn['contrast']:.2f}"]
        if shape[-1] == 3:
            lines.append(f"saturation {drawn['saturation']:.2f}")
            lines.append(f"hue {drawn['hue']:+.2f}")
        elif shape[-1] > 1:
            lines.append("(of channel 1)")
        return "\n".join(lines)

    def _factor(self, draws: tf.Tensor) -> tf.Tensor:
        spread = 0.8 * self.strength
        low, high = max(1.0 - spread, 0.0), 1.0 + spread
        return low + draws * (high - low)

    def _brightness(self, draws: tf.Tensor) -> tf.Tensor:
        if self.brightness_rule == "additive":
            return _centred(draws, 0.8 * self.strength)
        return self._factor(draws)

    def _by_channel(self, drawn: Transformations, channels: int) -> Transformations:
        """The parameters with brightness and contrast `[B, channels]`."""
        dtype = self.compute_dtype
        first = {name: drawn[name][:, None] for name in ("brightness", "contrast")}
        if channels > 1:
            further = randomness.fold_in(drawn["seeds"], _FURTHER_CHANNELS)
            count = channels - 1
            draws = randomness.uniform(further, self.stream, 2 * count, dtype)
            made = (self._brightness(draws[:, :count]), self._factor(draws[:, count:]))
            first = {
                name: tf.concat([one, others], axis=1)
                for (name, one), others in zip(first.items(), made)
            }
        return {**drawn, **first}

    def augment_images(
        self, images: tf.Tensor, transformations: Transformations, **_: object
    ) -> tf.Tensor:
        """Images `[B, H, W, C]` in [0, 1] to the same."""
        if images.shape[-1] != 3:
            return self._jitter_channels(images, transformations, channels=3)

        def step(slot: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
            operation = tf.gather(transformations["order"], slot, axis=1)
            operation = per_image(operation)
            bright, contrast, saturated, turned = (
                made() for made in self._operations(images, transformations)
            )
            return tf.where(
                operation < 2,
                tf.where(operation < 1, bright, contrast),
                tf.where(operation < 3, saturated, turned),
            )

        jittered = _in_turn(step, images)
        return tf.where(per_image(transformations["apply"]), jittered, images)

    def augment_one(
        self, image: tf.Tensor, transformations: Transformations
    ) -> tf.Tensor:
        """See `StatelessAugmentation`."""
        if image.shape[2] != 3:
            return self._jitter_channels(image, transformations, channels=2)

        def step(slot: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
            return tf.switch_case(
                tf.gather(transformations["order"][0], slot),
                self._operations(image, transformations, channels=2),
            )

        slots = tf.where(transformations["apply"][0], 4, 0)
        # With two steps in one iteration of the loop, XLA copies no result.
        return _in_turn(step, image, slots, together=2)

    def _jitter_channels(
        self, images: tf.Tensor, drawn: Transformations, channels: int
    ) -> tf.Tensor:
        """Brightness and contrast of each channel, in the order drawn.

        `channels` is the axis of the channels.
        """
        if images.shape[channels] is None:
            raise UserError(
                f"{type(self).__name__} must know how many channels images have, got "
                f"shape {images.shape}: give them tf.ensure_shape."
            )
        drawn = self._by_channel(drawn, images.shape[channels])

        def made(operation: int, images: tf.Tensor) -> tf.Tensor:
            return self._operations(images, drawn, channels)[operation]()

        slots, order = tf.range(4), drawn["order"]
        bright, contrast = (
            tf.reduce_sum(tf.where(order == each, slots, 0), axis=1) for each in (0, 1)
        )
        jittered = tf.where(
            per_image(bright < contrast),
            made(1, made(0, images)),
            made(0, made(1, images)),
        )
        return tf.where(per_image(drawn["apply"]), jittered, images)

    def _operations(
        self, images: tf.Tensor, drawn: Transformations, channels: int = 3
    ) -> list[Callable[[], tf.Tensor]]:
        """What each operation makes, clipped, by its number in `order`."""
        brighten = (
            color.add_brightness
            if self.brightness_rule == "additive"
            else color.scale_brightness
        )
        operations = [
            lambda: brighten(images, drawn["brightness"], channels),
            lambda: color.adjust_contrast(images, drawn["contrast"], channels),
            lambda: color.adjust_saturation(images, drawn["saturation"], channels),
            lambda: color.adjust_hue(images, drawn["hue"], channels),
        ]
        return [functools.partial(_clipped, operation) for operation in operations]

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "strength": self.strength,
            "probability": self.probability,
            "brightness_rule": self.brightness_rule,
        }


def _centred(draws: tf.Tensor, reach: float) -> tf.Tensor:
    return (2.0 * draws - 1.0) * reach


def _in_turn(
    step: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    images: tf.Tensor,
    slots: int | tf.Tensor = 4,
    together: int = 1,
) -> tf.Tensor:
    """Takes the steps of slots 0, 1, … in order, `together` in each iteration."""

    def body(slot: tf.Tensor, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        for place in range(together):
            images = step(slot + place, images)
        return slot + together, images

    # A loop, because XLA would fuse four steps written out and compute the first of
    # them again for every use in the last.
    return tf.while_loop(
        lambda slot, _: slot < slots, body, (0, images), maximum_iterations=4
    )[1]


def _random_order(draws: tf.Tensor) -> tf.Tensor:
    """Uniform draws `[B, 4]` to permutations of 0..3, int32 `[B, 4]`."""
    return tf.argsort(draws, axis=1)


def _clipped(operation: Callable[[], tf.Tensor]) -> tf.Tensor:
    return tf.clip_by_value(operation(), 0.0, 1.0)
