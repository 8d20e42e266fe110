"""Random colour jitter: brightness, contrast, saturation and hue in any order."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation import color
from simclr_tf.augmentation.base import (
    StatelessAugmentation,
    Transformations,
    per_image,
    require_probability,
    require_rgb,
)
from simclr_tf.errors import UserError

_RULES = ("multiplicative", "additive")


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

    Args:
      strength: s above, finite and >= 0.
      probability: share of images jittered, in [0, 1].
      brightness_rule: "multiplicative" (v2), or "additive" (v1: adds a shift
        uniform in [-0.8s, 0.8s]).
      seed: see `StatelessAugmentation`.
      **kwargs: of `tf.keras.layers.Layer`.

    Raises:
      UserError: if an argument is out of its range, or images are not RGB.
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
          the operations 0 to 3 in that order, first to last.
        """
        draws = randomness.uniform(seeds, self.stream, 9, self.compute_dtype)
        spread = 0.8 * self.strength
        low, high = max(1.0 - spread, 0.0), 1.0 + spread

        def factor(draw: tf.Tensor) -> tf.Tensor:
            return low + draw * (high - low)

        def centred(draw: tf.Tensor, reach: float) -> tf.Tensor:
            return (2.0 * draw - 1.0) * reach

        additive = self.brightness_rule == "additive"
        bright = draws[:, 1]
        return {
            "apply": draws[:, 0] < self.probability,
            "brightness": centred(bright, spread) if additive else factor(bright),
            "contrast": factor(draws[:, 2]),
            "saturation": factor(draws[:, 3]),
            "hue": centred(draws[:, 4], 0.2 * self.strength),
            "order": _random_order(draws[:, 5:9]),
        }

    def augment_images(
        self, images: tf.Tensor, transformations: Transformations, **_: object
    ) -> tf.Tensor:
        """RGB images `[B, H, W, 3]` in [0, 1] to the same."""
        require_rgb(images, self)

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

        def step(slot: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
            return tf.switch_case(
                tf.gather(transformations["order"][0], slot),
                self._operations(image, transformations, channels=2),
            )

        slots = tf.where(transformations["apply"][0], 4, 0)
        # With two steps in one iteration of the loop, XLA copies no result.
        return _in_turn(step, image, slots, together=2)

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
            lambda: brighten(images, drawn["brightness"]),
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
