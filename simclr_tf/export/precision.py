"""The dtype that an exported encoder computes in, whatever it was trained in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.model import Learner

PRECISIONS = ("float32", "bfloat16", "float16")
_NARROW = ("bfloat16", "float16")


@contextlib.contextmanager
def computing_in(model: Learner, precision: str) -> Iterator[None]:
    """Makes a model's layers compute in `precision` while the context lasts.

    Only layers that compute in bfloat16 or float16 change. "float32" makes them
    compute in the dtype of their variables.

    Args:
      model: a built model.
      precision: one of `PRECISIONS`.

    Raises:
      UserError: `precision` is none of these; it is bfloat16 or float16, and no layer
        of the model was made for mixed precision; or it is float32, and a layer keeps
        its variables in bfloat16 or float16.
    """
    if precision not in PRECISIONS:
        raise UserError(f"precision must be one of {PRECISIONS}, got {precision!r}.")
    layers = [
        module
        for module in (model, *model.submodules)
        if isinstance(module, tf.keras.layers.Layer) and module.compute_dtype in _NARROW
    ]
    if precision == "float32":
        policies = [_wide_policy(layer) for layer in layers]
    elif layers:
        policies = [f"mixed_{precision}"] * len(layers)
    else:
        raise UserError(
            f"precision={precision!r} needs a model made under the Keras policy "
            f"mixed_{precision}; this one computes in {model.compute_dtype}."
        )
    before = [layer.dtype_policy for layer in layers]
    try:
        for layer, policy in zip(layers, policies):
            # Keras has no public way to change the policy of a layer.
            layer._set_dtype_policy(tf.keras.mixed_precision.Policy(policy))
        yield
    finally:
        for layer, former in zip(layers, before):
            layer._set_dtype_policy(former)


def _wide_policy(layer: tf.keras.layers.Layer) -> str:
    if layer.variable_dtype not in _NARROW:
        return layer.variable_dtype
    if layer.variables:
        raise UserError(
            f"The layer {layer.name} keeps its variables in {layer.variable_dtype}, so "
            "it cannot compute in float32. Make the model under the Keras policy "
            f"mixed_{layer.variable_dtype}, or export it with "
            f"precision={layer.variable_dtype!r}."
        )
    return "float32"
