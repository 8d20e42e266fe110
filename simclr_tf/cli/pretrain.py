"""`simclr pretrain`: trains an encoder on unlabelled images."""

from __future__ import annotations

from absl import flags

from simclr_tf.cli import recipe_flags, strategy_flags
from simclr_tf.cli.command import Command
from simclr_tf.training import pretrain


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string(
        "run",
        "runs/pretrain",
        "folder the run writes; one that holds a run of the same settings is resumed",
        flag_values=values,
    )
    strategy_flags.define(values)
    flags.DEFINE_string(
        "data_service",
        None,
        "HOST:PORT of the tf.data service that makes the batches, see simclr "
        "data_service; this machine makes them by default",
        flag_values=values,
    )
    flags.DEFINE_float(
        "minutes",
        None,
        "minutes that the run may take in all: it measures its speed first and chooses "
        "what you leave open of encoder, image_size, early_share and eval_every, and "
        "the epochs; flags.txt then holds the choices. Of a run that is resumed it "
        "changes nothing",
        flag_values=values,
    )
    _define_saving(values)
    flags.DEFINE_boolean(
        "accept_changed_data",
        False,
        "resume a run whose data has changed: the epoch it was in begins anew with "
        "the data as it is now",
        flag_values=values,
    )
    flags.DEFINE_boolean(
        "check_images",
        False,
        "decode every image file before training; without it a bad file is found when "
        "it is to be used, and another takes its place",
        flag_values=values,
    )
    recipe_flags.define(values)


def _define_saving(values: flags.FlagValues) -> None:
    """How often the run saves its state and logs its figures."""
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


def _run(values: flags.FlagValues) -> None:
    pretrain(
        recipe_flags.recipe(values),
        values.run,
        strategy=strategy_flags.strategy(values),
        minutes=values.minutes,
        data_service=values.data_service,
        checkpoint_minutes=values.checkpoint_minutes,
        checkpoint_steps=values.checkpoint_steps,
        log_every=values.log_every,
        accept_changed_data=values.accept_changed_data,
        check_images=values.check_images,
    )


PRETRAIN = Command(
    name="pretrain",
    summary="trains an encoder on unlabelled images",
    define=_define,
    run=_run,
    example="simclr pretrain --dataset=folder:photos --image_size=96 --run=runs/photos",
)
