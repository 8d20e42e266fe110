"""Dtype policies by the names users give."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from simclr_tf.training.ranges import PRECISIONS

_POLICIES = {
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}


# Linux's names for CPU instructions that multiply bfloat16.
_CPU_FLAGS = {"avx512_bf16", "amx_bf16"}
_CPU = "/proc/cpuinfo"


def has_fast_bfloat16(strategy: tf.distribute.Strategy | None = None) -> bool:
    """Whether a strategy's devices are faster in bfloat16 than in float32.

    TPUs are, GPUs since NVIDIA's Ampere, and CPUs with instructions for it; others
    imitate it and take several times as long. Of several hosts only this one is seen.

    Args:
      strategy: TensorFlow's current one where None.
    """
    strategy = strategy or tf.distribute.get_strategy()
    if isinstance(strategy, tf.distribute.TPUStrategy):
        return True
    gpus = tf.config.list_physical_devices("GPU")
    if gpus and _computes_on_gpus(strategy):
        details = tf.config.experimental.get_device_details(gpus[0])
        return details.get("compute_capability", (0, 0)) >= (8, 0)
    try:
        with open(_CPU) as file:
            flags = next((line for line in file if line.startswith("flags")), "")
    except OSError:
        return False
    return not _CPU_FLAGS.isdisjoint(flags.split())


def _computes_on_gpus(strategy: tf.distribute.Strategy) -> bool:
    if not tf.distribute.has_strategy() and strategy is tf.distribute.get_strategy():
        return True
    return any("GPU" in device for device in strategy.extended.worker_devices)


@contextlib.contextmanager
def policy(precision: str) -> Iterator[None]:
    """Makes layers created inside compute in `precision`.

    Args:
      precision: "float32", which is Keras' `floatx`, so that a run in float64 is one;
        "bfloat16" or "float16", which keep variables in float32.

    Raises:
      ValueError: where `precision` is none of these.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {PRECISIONS}, got {precision!r}.")
    before = tf.keras.mixed_precision.global_policy()
    wide = tf.keras.backend.floatx()
    tf.keras.mixed_precision.set_global_policy(_POLICIES.get(precision, wide))
    try:
        yield
    finally:
        tf.keras.mixed_precision.set_global_policy(before)
