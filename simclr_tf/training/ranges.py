"""What each setting of a recipe may be: numbers in a range, one of some words."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from simclr_tf.errors import UserError
from simclr_tf.optimizer import OPTIMIZERS
from simclr_tf.suggestions import did_you_mean

PRECISIONS = ("float32", "bfloat16", "float16")
PLACES = ("host", "device")

# What computes with a setting holds it as float32, where larger numbers are infinite.
_LARGEST_FLOAT32 = 3.4028234e38


class Range(NamedTuple):
    """The numbers that a setting may be; its ends belong to it unless open."""

    lowest: float
    highest: float = math.inf
    lowest_open: bool = False
    highest_open: bool = False

    def holds(self, value: float) -> bool:
        above = value > self.lowest if self.lowest_open else value >= self.lowest
        below = value < self.highest if self.highest_open else value <= self.highest
        return above and below

    def __str__(self) -> str:
        if self.lowest_open:
            most = "" if math.isinf(self.highest) else f" and at most {self.highest:g}"
            return f"above {self.lowest:g}{most}"
        if math.isinf(self.highest):
            return f"{self.lowest:g} or more"
        if self.highest_open:
            return f"{self.lowest:g} or more and below {self.highest:g}"
        return f"{self.lowest:g} to {self.highest:.10g}"


RANGES = {
    "color_strength": Range(0),
    "crop_min_area": Range(0, 1, lowest_open=True),
    "image_size": Range(8),
    "channels": Range(1),
    "head_layers": Range(0, 3),
    "head_layers_kept": Range(0, 3),
    "fine_tune_after_block": Range(-1, 4),
    "head_hidden_dim": Range(1),
    "head_out_dim": Range(1),
    "early_view_size": Range(8),
    "early_share": Range(0, 1),
    "temperature": Range(0, lowest_open=True),
    "learning_rate": Range(0),
    "momentum": Range(0, 1, highest_open=True),
    "weight_decay": Range(0),
    "batch_size": Range(2),
    "epochs": Range(1),
    "warmup_epochs": Range(0),
    "steps_per_execution": Range(1),
    "micro_batches": Range(1),
    "seed": Range(0, 2**32 - 1),
}

CHOICES = {
    "optimizer": OPTIMIZERS,
    "learning_rate_scaling": ("linear", "sqrt", "none"),
    "precision": PRECISIONS,
    "augment_on": PLACES,
}


def require_allowed(name: str, value: Any) -> None:
    """Raises UserError where a setting is out of its range, or none of its choices."""
    if name in RANGES:
        _require_in_range(name, value, RANGES[name])
    if name in CHOICES and value not in CHOICES[name]:
        hint = did_you_mean(str(value), CHOICES[name])
        raise UserError(
            f"{name} must be one of {', '.join(CHOICES[name])}, got {value!r}.{hint}"
        )


def _require_in_range(name: str, value: float, allowed: Range) -> None:
    if not abs(value) <= _LARGEST_FLOAT32:
        raise UserError(f"{name} must be a finite number, got {value!r}.")
    if not allowed.holds(value):
        raise UserError(f"{name} must be {allowed}, got {value!r}.")
