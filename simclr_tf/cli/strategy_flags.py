"""Flags that say which devices and hosts a run uses."""

from __future__ import annotations

import tensorflow as tf
from absl import flags

from simclr_tf.distribution import STRATEGIES, make_strategy


def define(values: flags.FlagValues) -> None:
    """Adds the flags."""
    flags.DEFINE_enum(
        "strategy",
        "auto",
        STRATEGIES,
        "devices that share every batch: one; mirrored over this machine's GPUs; "
        "multiworker over the hosts of TF_CONFIG; tpu; auto takes the TPU that is "
        "named, or the hosts or GPUs that it finds, or one device",
        flag_values=values,
    )
    flags.DEFINE_string(
        "tpu",
        None,
        "a Cloud TPU's name, its address (grpc://HOST:PORT), or local on a TPU VM",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "logical_devices",
        None,
        "cut the CPU into so many devices, for development: replicas without GPUs",
        lower_bound=1,
        flag_values=values,
    )
    flags.DEFINE_float(
        "connect_timeout",
        60.0,
        "seconds to wait for the other hosts of TF_CONFIG",
        lower_bound=0.0,
        flag_values=values,
    )


def strategy(values: flags.FlagValues) -> tf.distribute.Strategy:
    """The strategy that parsed flags ask for, which it says on stdout."""
    return make_strategy(
        values.strategy,
        tpu=values.tpu,
        logical_devices=values.logical_devices,
        timeout=values.connect_timeout,
    )
