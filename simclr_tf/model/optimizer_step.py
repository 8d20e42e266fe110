"""An optimizer's step on the gradient of all replicas, and that gradient's norm."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf

from simclr_tf.distribution.replicas import num_replicas
from simclr_tf.errors import UserError

_LEGACY = tf.keras.optimizers.legacy.Optimizer
# Keywords of `apply_gradients` that leave gradients as they were summed before.
_SUMMED = {
    "skip_gradients_aggregation": True,
    "experimental_aggregate_gradients": False,
}


def minimize(
    optimizer: Any,
    loss: tf.Tensor,
    variables: Sequence[tf.Variable],
    tape: tf.GradientTape,
) -> tf.Tensor | None:
    """`optimizer.minimize`, which also says the norm of the gradient.

    Args:
      optimizer: of Keras, new or legacy, or one with their methods.
      loss: this replica's share of the loss: gradients are summed over replicas.
      variables: to minimise by.
      tape: that recorded the loss.

    Returns:
      As `apply_gradients`; None also for an optimizer with a `minimize` of its own.
    """
    own = getattr(type(optimizer), "minimize", None)
    if own is tf.keras.optimizers.Optimizer.minimize:
        return apply_gradients(
            optimizer, optimizer.compute_gradients(loss, variables, tape)
        )
    if own is _LEGACY.minimize:  # It has no public `compute_gradients`.
        with tape:
            loss = scaled(optimizer, loss)
        gradients = unscaled(optimizer, tape.gradient(loss, variables))
        return apply_gradients(optimizer, zip(gradients, variables))
    optimizer.minimize(loss, variables, tape=tape)
    return None


def apply_gradients(
    optimizer: Any, pairs: Iterable[tuple[Any, tf.Variable]]
) -> tf.Tensor | None:
    """`optimizer.apply_gradients`, which also says the norm of the gradient.

    Args:
      optimizer: as in `minimize`.
      pairs: this replica's unscaled gradients, or None, each with its variable.

    Raises:
      UserError: where replicas would share the optimizer's variables.

    Returns:
      The norm of all gradients together, summed over replicas, before any clipping; a
      scalar in Keras' `floatx`. None where the optimizer does not let gradients be
      summed before it applies them.
    """
    pairs = list(pairs)
    if num_replicas() == 1:
        optimizer.apply_gradients(pairs)
        return _norm_of(pairs)
    inner = getattr(optimizer, "inner_optimizer", optimizer)  # Of a loss scale.
    _require_copies(inner)
    add_up = getattr(inner, "aggregate_gradients", None)
    add_up = add_up or getattr(inner, "gradient_aggregator", None)
    takes = inspect.signature(inner.apply_gradients).parameters
    keyword = next((name for name in _SUMMED if name in takes), None)
    if add_up is None or keyword is None:
        optimizer.apply_gradients(pairs)
        return None
    pairs = list(add_up(pairs))
    optimizer.apply_gradients(pairs, **{keyword: _SUMMED[keyword]})
    return _norm_of(pairs)


def _require_copies(optimizer: Any) -> None:
    """Raises UserError where replicas would share a slot: each would move it again."""
    variables = optimizer.variables
    for variable in variables() if callable(variables) else variables:
        if variable.shape.rank and not isinstance(
            variable, tf.distribute.DistributedValues
        ):
            raise UserError(
                f"The optimizer's variable {variable.name} was made outside the "
                "strategy's scope, so that replicas would share it: call "
                "optimizer.build(model.trainable_variables) under `with "
                "strategy.scope():`, or leave it to fit()."
            )


def scaled(optimizer: Any, loss: tf.Tensor) -> tf.Tensor:
    """The loss times the optimizer's loss scale, if it has one."""
    scale = getattr(optimizer, "get_scaled_loss", None)
    return loss if scale is None else scale(loss)


def unscaled(optimizer: Any, gradients: list) -> list:
    """The gradients of a `scaled` loss as those of the loss."""
    unscale = getattr(optimizer, "get_unscaled_gradients", None)
    return gradients if unscale is None else unscale(gradients)


def global_norm(tensors: Iterable[Any]) -> tf.Tensor:
    """The Euclidean norm of all tensors together, a scalar in Keras' `floatx`."""
    dtype = tf.keras.backend.floatx()
    halves = [
        tf.nn.l2_loss(tf.cast(tf.convert_to_tensor(tensor), dtype))
        for tensor in tensors
    ]
    return tf.sqrt(2.0 * tf.add_n(halves))


def _norm_of(pairs: Iterable[tuple[Any, tf.Variable]]) -> tf.Tensor:
    return global_norm(gradient for gradient, _ in pairs if gradient is not None)
