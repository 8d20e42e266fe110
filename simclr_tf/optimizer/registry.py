"""Optimizers by name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Union

import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.optimizer.lars import (
    EXCLUDED,
    LARS,
    require_learning_rate,
    require_number,
)

LearningRate = Union[float, tf.keras.optimizers.schedules.LearningRateSchedule]

OPTIMIZERS = ("lars", "sgd", "adamw", "lamb")


def make_optimizer(
    name: str,
    learning_rate: LearningRate,
    *,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    no_decay: Sequence[str] = (),
) -> tf.keras.optimizers.Optimizer:
    """An optimizer by name; batch norm, biases and the probe are not decayed.

    Args:
      name: "lars"; "sgd", Nesterov momentum with weight decay as an L2 term;
        "adamw", decoupled weight decay; "lamb", from tensorflow-addons, or
        Keras' own where it has one.
      learning_rate: a float or a schedule.
      momentum: of "lars" and "sgd", in [0, 1).
      weight_decay: >= 0; an L2 term in "lars" and "sgd".
      no_decay: regular expressions; variables whose name matches one are not decayed
        either, and "lars" and "lamb" do not adapt their rate. Those of an encoder are
        in its `Capabilities`.

    Raises:
      UserError: if the name is unknown, if it is "lamb" and neither library brings
        it, or if a number is out of its range.
    """
    require_learning_rate(learning_rate)
    require_number("momentum", momentum, most=1.0)
    require_number("weight_decay", weight_decay, most=math.inf)
    excluded = [*EXCLUDED, *no_decay]
    if name == "lars":
        return LARS(
            learning_rate,
            momentum=momentum,
            weight_decay=weight_decay,
            exclude_from_weight_decay=excluded,
        )
    if name == "sgd":
        # LARS without its trust ratio is momentum SGD with an L2 term, which
        # Keras' SGD, whose decay is decoupled, does not offer.
        return LARS(
            learning_rate,
            momentum=momentum,
            weight_decay=weight_decay,
            nesterov=True,
            exclude_from_weight_decay=excluded,
            exclude_from_layer_adaptation=[""],
            name="SGD",
        )
    if name == "adamw":
        optimizer = tf.keras.optimizers.AdamW(learning_rate, weight_decay=weight_decay)
        optimizer.exclude_from_weight_decay(var_names=excluded)
        return optimizer
    if name == "lamb":
        return _lamb(learning_rate, weight_decay, excluded)
    raise UserError(f"optimizer must be one of {OPTIMIZERS}, got {name!r}.")


def _lamb(
    learning_rate: LearningRate, weight_decay: float, excluded: list[str]
) -> tf.keras.optimizers.Optimizer:
    try:
        import tensorflow_addons as tfa
    except ImportError:
        pass
    else:
        return tfa.optimizers.LAMB(
            learning_rate,
            weight_decay=weight_decay,
            exclude_from_weight_decay=excluded,
        )
    if not hasattr(tf.keras.optimizers, "Lamb"):
        raise UserError(
            'optimizer "lamb" needs tensorflow-addons, which TensorFlow '
            f"{tf.__version__} does not run. Use lars, sgd or adamw, or the "
            "TensorFlow 2.15 environment of requirements.txt."
        )
    optimizer = tf.keras.optimizers.Lamb(learning_rate, weight_decay=weight_decay)
    optimizer.exclude_from_weight_decay(var_names=excluded)
    return optimizer
