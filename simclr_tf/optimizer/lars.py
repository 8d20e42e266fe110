"""LARS: layer-wise adaptive rate scaling."""

from __future__ import annotations

import re
from collections.abc import Sequence

import tensorflow as tf

BATCH_NORM_AND_BIAS = ("batch_normalization", "bias", r"\bgamma\b", r"\bbeta\b")


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class LARS(tf.keras.optimizers.Optimizer):
    """Momentum SGD with a trust ratio per variable (You et al. 2017).

    Weight decay joins the gradient as an L2 term; the step of a variable w with
    gradient g is scaled by `eta * |w| / |g|`, or by 1 where either norm is 0.
    Agrees with the published SimCLR code's optimizer step for step.

    Args:
      learning_rate: a float or a `LearningRateSchedule`.
      momentum: in [0, 1).
      weight_decay: factor of the L2 term, >= 0.
      nesterov: whether to look one momentum step ahead.
      classic_momentum: True applies trust ratio and learning rate before the
        momentum, as the paper's runs do; False applies them after it.
      eta: the trust coefficient.
      exclude_from_weight_decay: regular expressions; variables whose name
        matches one get no weight decay. Batch norm and biases by default.
      exclude_from_layer_adaptation: likewise for the trust ratio; where None,
        the same as `exclude_from_weight_decay`.
      name: of the optimizer.
      **kwargs: of `tf.keras.optimizers.Optimizer`.
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
        exclude_from_weight_decay: Sequence[str] = BATCH_NORM_AND_BIAS,
        exclude_from_layer_adaptation: Sequence[str] | None = None,
        name: str = "LARS",
        **kwargs,
    ) -> None:
        # Keras' own weight_decay is decoupled from the gradient; ours is not.
        super().__init__(name=name, weight_decay=None, **kwargs)
        self._learning_rate = self._build_learning_rate(learning_rate)
        self.momentum = momentum
        self.l2 = weight_decay
        self.nesterov = nesterov
        self.classic_momentum = classic_momentum
        self.eta = eta
        self.no_decay = tuple(exclude_from_weight_decay)
        self.no_adaptation = (
            self.no_decay
            if exclude_from_layer_adaptation is None
            else tuple(exclude_from_layer_adaptation)
        )

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
        if self.l2 and not _matches(self.no_decay, variable.name):
            gradient = gradient + self.l2 * variable
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
        config.update(
            learning_rate=self._serialize_hyperparameter(self._learning_rate),
            momentum=self.momentum,
            weight_decay=self.l2,
            nesterov=self.nesterov,
            classic_momentum=self.classic_momentum,
            eta=self.eta,
            exclude_from_weight_decay=list(self.no_decay),
            exclude_from_layer_adaptation=list(self.no_adaptation),
        )
        return config


def _norm(tensor: tf.Tensor) -> tf.Tensor:
    """`tf.norm`, without a copy of the squares."""
    return tf.sqrt(2.0 * tf.nn.l2_loss(tensor))


def _matches(patterns: Sequence[str], name: str) -> bool:
    return any(re.search(pattern, name) for pattern in patterns)
