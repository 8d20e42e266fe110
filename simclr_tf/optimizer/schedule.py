"""Learning rates: scaling with the batch, warm-up, cosine decay."""

from __future__ import annotations

import math
from collections.abc import Sequence

import tensorflow as tf

from simclr_tf.errors import UserError


def scaled_learning_rate(
    base: float, global_batch: int, scaling: str = "linear"
) -> float:
    """The peak learning rate for a batch size (SimCLR, section 2.3 and B.1).

    Examples:
      >>> simclr_tf.scaled_learning_rate(0.3, 4096)
      4.8

    Args:
      base: the learning rate before scaling, > 0.
      global_batch: images a step over all replicas, before the two views.
      scaling: "linear" gives `base * global_batch / 256`, "sqrt" gives
        `base * sqrt(global_batch)`, "none" gives `base`.

    Raises:
      UserError: if `scaling` is none of these, or a number is out of its range.
    """
    if not 0.0 < base < math.inf or global_batch < 1:
        raise UserError(
            "The learning rate before scaling must be finite and greater than 0, and "
            f"the global batch at least 1, got {base} and {global_batch}."
        )
    if scaling == "linear":
        return base * global_batch / 256.0
    if scaling == "sqrt":
        return base * math.sqrt(global_batch)
    if scaling == "none":
        return base
    raise UserError(f'scaling must be "linear", "sqrt" or "none", got {scaling!r}.')


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class WarmupCosineDecay(tf.keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up from 0, then half a cosine down to 0, and 0 from there on.

    The published schedule runs one step more than its epochs hold; here
    `total_steps` is exactly the number asked for.

    Examples:
      >>> schedule = simclr_tf.WarmupCosineDecay(0.3, total_steps=100, warmup_steps=10)
      >>> [f"{schedule(step).numpy():.2f}" for step in (0, 5, 10, 55, 100)]
      ['0.00', '0.15', '0.30', '0.15', '0.00']

    Args:
      peak_learning_rate: what the warm-up ends at, finite and >= 0.
      total_steps: steps of the whole training, warm-up included, >= 1.
      warmup_steps: steps of warm-up, 0 <= warmup_steps <= total_steps.

    Raises:
      UserError: if a number is out of its range.
    """

    def __init__(
        self, peak_learning_rate: float, *, total_steps: int, warmup_steps: int = 0
    ) -> None:
        super().__init__()
        if not 0.0 <= peak_learning_rate < math.inf:
            raise UserError(
                "peak_learning_rate must be at least 0 and finite, got "
                f"{peak_learning_rate}."
            )
        if total_steps < 1 or not 0 <= warmup_steps <= total_steps:
            raise UserError(
                "total_steps must be at least 1 and warmup_steps between 0 and "
                f"total_steps, got total_steps={total_steps} and "
                f"warmup_steps={warmup_steps}."
            )
        self.peak_learning_rate = float(peak_learning_rate)
        self.total_steps = int(total_steps)
        self.warmup_steps = int(warmup_steps)

    def __call__(self, step: int | tf.Tensor) -> tf.Tensor:
        """The learning rate, a floating-point scalar in Keras' `floatx`."""
        dtype = tf.keras.backend.floatx()
        step = tf.cast(step, dtype)
        peak = tf.constant(self.peak_learning_rate, dtype)
        rising = peak * step / max(self.warmup_steps, 1)
        falling_steps = max(self.total_steps - self.warmup_steps, 1)
        progress = (step - self.warmup_steps) / falling_steps
        progress = tf.clip_by_value(progress, 0.0, 1.0)
        falling = peak * 0.5 * (1.0 + tf.cos(math.pi * progress))
        return tf.where(step < self.warmup_steps, rising, falling)

    def get_config(self) -> dict:
        return {
            "peak_learning_rate": self.peak_learning_rate,
            "total_steps": self.total_steps,
            "warmup_steps": self.warmup_steps,
        }


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class WarmRestarts(tf.keras.optimizers.schedules.LearningRateSchedule):
    """Schedules one after the other, each from its own first step.

    Loshchilov & Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts".

    Args:
      schedules: in their order.
      starts: the step at which each begins, the first at 0.

    Raises:
      UserError: if the starts are not as many as the schedules, or do not rise from 0.
    """

    def __init__(
        self,
        schedules: Sequence[tf.keras.optimizers.schedules.LearningRateSchedule],
        starts: Sequence[int],
    ) -> None:
        super().__init__()
        starts = [int(start) for start in starts]
        if len(starts) != len(schedules) or starts != sorted({0, *starts}):
            raise UserError(
                f"starts must rise from 0, one for each of {len(schedules)} schedules, "
                f"got {starts}."
            )
        self.schedules = [
            tf.keras.optimizers.schedules.deserialize(each)
            if isinstance(each, dict)
            else each
            for each in schedules
        ]
        self.starts = starts

    def __call__(self, step: int | tf.Tensor) -> tf.Tensor:
        """The learning rate, a floating-point scalar in Keras' `floatx`."""
        step = tf.cast(step, tf.int64)
        rate = self.schedules[0](step)
        for start, schedule in zip(self.starts[1:], self.schedules[1:]):
            rate = tf.where(step < start, rate, schedule(step - start))
        return rate

    def get_config(self) -> dict:
        serialize = tf.keras.optimizers.schedules.serialize
        return {
            "schedules": [serialize(each) for each in self.schedules],
            "starts": self.starts,
        }
