"""`simclr pretrain`: trains an encoder on unlabelled images."""

from __future__ import annotations

from absl import flags

from simclr_tf.cli import recipe_flags, saving_flags, strategy_flags
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
    flags.DEFINE_float(
        "minutes",
        None,
        "minutes that the run may take in all: it measures its speed first and chooses "
        "what you leave open of encoder, image_size, early_share and eval_every, and "
        "the epochs; flags.txt then holds the choices. Of a run that is resumed it "
        "changes nothing",
        flag_values=values,
    )
    saving_flags.define(values)
    flags.DEFINE_boolean(
        "check_images",
        False,
        "decode every image file before training; without it a bad file is found when "
        "it is to be used, and another takes its place",
        flag_values=values,
    )
    recipe_flags.define(values)


def _run(values: flags.FlagValues) -> None:
    pretrain(
        recipe_flags.recipe(values),
        values.run,
        strategy=strategy_flags.strategy(values),
        minutes=values.minutes,
        **saving_flags.arguments(values),
        check_images=values.check_images,
    )


PRETRAIN = Command(
    name="pretrain",
    summary="trains an encoder on unlabelled images",
    define=_define,
    run=_run,
    example="simclr pretrain --dataset=folder:photos --image_size=96 --run=runs/photos",
)
