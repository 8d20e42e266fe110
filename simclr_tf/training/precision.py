"""Dtype policies by the names users give."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf

_POLICIES = {
    "float32": "float32",
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}


@contextlib.contextmanager
def policy(precision: str) -> Iterator[None]:
    """Makes layers created inside compute in `precision`.

    Args:
      precision: "float32", "bfloat16" or "float16"; the latter two keep
        variables in float32.

    Raises:
      ValueError: where `precision` is none of these.
    """
    if precision not in _POLICIES:
        raise ValueError(
            f"precision must be one of {tuple(_POLICIES)}, got {precision!r}."
        )
    before = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy(_POLICIES[precision])
    try:
        yield
    finally:
        tf.keras.mixed_precision.set_global_policy(before)
