"""LARS: layer-wise adaptive rate scaling."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import tensorflow as tf

from simclr_tf.errors import UserError

# Batch norm, biases, and SimCLR's online probe, which stands outside the method: the
# published code neither decays it in the optimizer nor adapts its rate.
EXCLUDED = ("batch_normalization", "bias", r"\bgamma\b", r"\bbeta\b", r"\bprobe\b")


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class LARS(tf.keras.optimizers.Optimizer):
    """Momentum SGD with a trust ratio per variable (You et al. 2017).

    Weight decay joins the gradient as an L2 term; the step of a variable w with
    gradient g is scaled by `eta * |w| / |g|`, or by 1 where either norm is 0.
    Agrees with the published SimCLR code's optimizer step for step.

    Examples:
      >>> optimizer = simclr_tf.LARS(0.3, weight_decay=1e-6)
      >>> weights = tf.Variable(tf.ones([4, 4]))
      >>> optimizer.build([weights])
      >>> _ = optimizer.apply_gradients([(tf.ones([4, 4]), weights)])
      >>> bool(tf.reduce_all(weights < 1.0))
      True

    Args:
      learning_rate: a finite float >= 0 or a `LearningRateSchedule`.
      momentum: in [0, 1).
      weight_decay: factor of the L2 term, finite and >= 0. The attribute of this name
        may be set until a step is traced.
      nesterov: whether to look one momentum step ahead.
      classic_momentum: True applies trust ratio and learning rate before the
        momentum, as the paper's runs do; False applies them after it.
      eta: the trust coefficient, finite and > 0.
      exclude_from_weight_decay: a list of regular expressions; variables whose name
        matches one get no weight decay. By default those of batch norm, biases, and
        the online probe of `SimCLR`.
      exclude_from_layer_adaptation: likewise for the trust ratio; if None,
        the same as `exclude_from_weight_decay`.
      name: of the optimizer.
      **kwargs: of `tf.keras.optimizers.Optimizer`.

    Raises:
      UserError: if a number is out of its range, or exclusions are not a list of
        regular expressions.
    """

    def __init__(
        self,
        learning_rate: float | tf.keras.optimizers.schedules.LearningRateSchedule,
        *,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        classic_momentum: bool = True,
        eta: float = 1e-3,
        exclude_from_weight_decay: Sequence[str] = EXCLUDED,
        exclude_from_layer_adaptation: Sequence[str] | None = None,
        name: str = "LARS",
        **kwargs,
    ) -> None:
        decay = require_number("weight_decay", weight_decay, most=math.inf)
        super().__init__(name=name, weight_decay=decay, **kwargs)
        require_learning_rate(learning_rate)
        self._learning_rate = self._build_learning_rate(learning_rate)
        self.momentum = require_number("momentum", momentum, most=1.0)
        self.nesterov = nesterov
        self.classic_momentum = classic_momentum
        self.eta = require_number("eta", eta, most=math.inf)
        if not self.eta:
            raise UserError("eta must be greater than 0: no variable would move.")
        self.no_decay = _patterns(
            "exclude_from_weight_decay", exclude_from_weight_decay
        )
        self.no_adaptation = (
            self.no_decay
            if exclude_from_layer_adaptation is None
            else _patterns(
                "exclude_from_layer_adaptation", exclude_from_layer_adaptation
            )
        )

    def exclude_from_weight_decay(
        self,
        var_list: Sequence[tf.Variable] | None = None,
        var_names: Sequence[str] | None = None,
    ) -> None:
        """Keras' method: excludes variables beside those of the constructor.

        Call it before the optimizer is built. It leaves layer adaptation alone.

        Args:
          var_list: variables; a saved configuration forgets them.
          var_names: regular expressions on variables' names.
        """
        var_names = _patterns("var_names", var_names or ())
        super().exclude_from_weight_decay(var_list, list(var_names))

    def build(self, var_list: Sequence[tf.Variable]) -> None:
        """Makes a momentum variable per variable."""
        super().build(var_list)
        if getattr(self, "_built", False):
            return
        self.momentums = [
            self.add_variable_from_reference(variable, "m") for variable in var_list
        ]
        self._built = True

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable) -> None:
        """Moves one variable."""
        momentum = self.momentums[self._index_dict[self._var_key(variable)]]
        learning_rate = tf.cast(self.learning_rate, variable.dtype)
        gradient = tf.convert_to_tensor(gradient)
        if self.weight_decay and self._is_decayed(variable):
            gradient = gradient + self.weight_decay * variable
        if self.classic_momentum:
            scale = learning_rate * self._trust_ratio(variable, gradient)
            step = scale * gradient
            momentum.assign(self.momentum * momentum + step)
            ahead = self.momentum * momentum + step
            variable.assign_sub(ahead if self.nesterov else momentum)
        else:
            momentum.assign(self.momentum * momentum + gradient)
            ahead = self.momentum * momentum + gradient
            update = ahead if self.nesterov else momentum
            scale = learning_rate * self._trust_ratio(variable, update)
            variable.assign_sub(scale * update)

    def _apply_weight_decay(self, variables: Sequence[tf.Variable]) -> None:
        """Keras' decay, apart from the gradient, is off: LARS has an L2 term."""

    def _is_decayed(self, variable: tf.Variable) -> bool:
        excluded = _matches(self.no_decay, variable.name)
        return not excluded and self._use_weight_decay(variable)

    def _trust_ratio(self, variable: tf.Variable, update: tf.Tensor) -> tf.Tensor:
        one = tf.ones([], variable.dtype)
        if _matches(self.no_adaptation, variable.name):
            return one
        weight_norm, update_norm = _norm(variable), _norm(update)
        usable = (weight_norm > 0) & (update_norm > 0)
        safe_norm = tf.where(usable, update_norm, one)
        return tf.where(usable, self.eta * weight_norm / safe_norm, one)

    def get_config(self) -> dict:
        config = super().get_config()
        added = getattr(self, "_exclude_from_weight_decay_names", [])
        config.update(
            learning_rate=self._serialize_hyperparameter(self._learning_rate),
            momentum=self.momentum,
            weight_decay=self.weight_decay or 0.0,
            nesterov=self.nesterov,
            classic_momentum=self.classic_momentum,
            eta=self.eta,
            exclude_from_weight_decay=[*self.no_decay, *added],
            exclude_from_layer_adaptation=list(self.no_adaptation),
        )
        return config


def _norm(tensor: tf.Tensor) -> tf.Tensor:
    """`tf.norm`, without a copy of the squares."""
    return tf.sqrt(2.0 * tf.nn.l2_loss(tensor))


def require_number(name: str, value: float, *, most: float) -> float:
    """`value` as a float; UserError unless it lies in [0, most)."""
    number = float(value)
    if not 0.0 <= number < most:
        raise UserError(f"{name} must lie in [0, {most:g}), got {value}.")
    return number


def require_learning_rate(
    value: float | tf.keras.optimizers.schedules.LearningRateSchedule,
) -> None:
    """Raises UserError if a constant learning rate is negative or not finite."""
    if isinstance(value, (int, float)):
        require_number("learning_rate", value, most=math.inf)


def _patterns(name: str, patterns: Sequence[str]) -> tuple[str, ...]:
    if isinstance(patterns, (str, bytes)):
        raise UserError(
            f"{name} must be a list of regular expressions, got the text "
            f"{patterns!r}, each letter of which would count as one: write "
            f"[{patterns!r}]."
        )
    for pattern in patterns:
        try:
            re.compile(pattern)
        except (re.error, TypeError) as error:
            raise UserError(
                f"{name} must be a list of regular expressions, got {pattern!r} in it: "
                f"{error}."
            ) from error
    return tuple(patterns)


def _matches(patterns: Sequence[str], name: str) -> bool:
    return any(re.search(pattern, name) for pattern in patterns)
