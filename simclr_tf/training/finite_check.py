"""The numbers of a training, refused where they are no longer numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.training.calendar import Calendar


class Diverged(UserError):
    """The loss, the weights or the features are no longer numbers."""


def running_means(model: tf.keras.Model) -> dict[str, float]:
    """The model's metrics so far, as `known` has them; all workers read together."""
    return known(
        model, {metric.name: float(metric.result()) for metric in model.metrics}
    )


def known(model: tf.keras.Model, values: Mapping[str, float]) -> dict[str, float]:
    """Values by name, without those of labels where no image had one.

    A loss that is no number is not lost with them: it is part of the model's loss.
    """
    of_labels: frozenset[str] = getattr(model, "metrics_of_labels", frozenset())
    return {
        name: value
        for name, value in values.items()
        if not (name in of_labels and math.isnan(value))
    }


class FiniteCheck:
    """Raises `Diverged` where a figure or a weight is infinite or NaN.

    Args:
      model: a Keras model.
      calendar: which steps make which epoch.
      kept: says which state is left to go on from.
    """

    def __init__(
        self, model: tf.keras.Model, calendar: Calendar, kept: Callable[[], str]
    ) -> None:
        self._model = model
        self._calendar = calendar
        self._kept = kept

    def values(self, values: Mapping[str, float], step: int) -> None:
        """Looks at figures of `step` steps done."""
        for name, value in values.items():
            if not math.isfinite(value):
                raise self._diverged(f"{name} became {value}", step)

    def require(self, step: int) -> None:
        """Looks at the model's running means and at all its variables."""
        self.values(running_means(self._model), step)
        for variable in self._model.variables:
            if not variable.dtype.is_floating:
                continue
            finite = tf.math.is_finite(tf.convert_to_tensor(variable))
            if not tf.reduce_all(finite):
                raise self._diverged(f"{variable.name} became infinite or nan", step)

    def _diverged(self, what: str, step: int) -> Diverged:
        epoch = self._calendar.epoch_of(step - 1) + 1
        return Diverged(
            f"{what} in epoch {epoch}: lower --learning_rate, raise --warmup_epochs, "
            f"or use --precision=float32. {self._kept()}"
        )
