"""Flags of how a run gets its batches, saves its state and is resumed."""

from __future__ import annotations

from typing import Any

from absl import flags

from simclr_tf.cli.command import UsageError
from simclr_tf.distribution.addresses import host_and_port
from simclr_tf.errors import UserError


def define(values: flags.FlagValues) -> None:
    """Adds the flags."""
    flags.DEFINE_string(
        "data_service",
        None,
        "HOST:PORT of the tf.data service that makes the batches, see simclr "
        "data_service; this machine makes them by default",
        flag_values=values,
    )
    flags.DEFINE_float(
        "checkpoint_minutes",
        5.0,
        "minutes from one saved state to the next within an epoch; the state is also "
        "saved after each epoch and at a stop",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "checkpoint_steps",
        0,
        "steps from one saved state to the next; 0 for none but those of "
        "checkpoint_minutes",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "log_every",
        100,
        "steps from one row of metrics.jsonl, and point in TensorBoard, to the next; "
        "0 for one at each epoch's end alone",
        flag_values=values,
    )
    flags.DEFINE_boolean(
        "accept_changed_data",
        False,
        "resume a run whose data has changed: the epoch it was in begins anew with "
        "the data as it is now",
        flag_values=values,
    )


def arguments(values: flags.FlagValues) -> dict[str, Any]:
    """What parsed flags say, as arguments of the function that trains.

    Raises:
      UsageError: where --data_service is no address.
    """
    names = (
        "data_service",
        "checkpoint_minutes",
        "checkpoint_steps",
        "log_every",
        "accept_changed_data",
    )
    if values.data_service:
        try:
            host_and_port(values.data_service)
        except UserError as error:
            raise UsageError(f"--data_service: {error}.") from error
    return {name: values[name].value for name in names}
