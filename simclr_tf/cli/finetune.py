"""`simclr finetune`: trains an encoder and a classifier on labels."""

from __future__ import annotations

from absl import flags

from simclr_tf.cli import recipe_flags, saving_flags, strategy_flags
from simclr_tf.cli.command import Work
from simclr_tf.training import finetune
from simclr_tf.training.fine_tuning import FineTuning


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string(
        "run",
        "runs/finetune",
        "folder the run writes, not that of --init; one that holds a run of the same "
        "settings is resumed",
        flag_values=values,
    )
    strategy_flags.define(values)
    saving_flags.define(values)
    recipe_flags.define(values, said=FineTuning)


def _run(values: flags.FlagValues) -> None:
    finetune(
        recipe_flags.settings(values, FineTuning),
        values.run,
        strategy=strategy_flags.strategy(values),
        **saving_flags.arguments(values),
    )


WORK = Work(
    define=_define,
    run=_run,
    example="simclr finetune --init=runs/photos --train_labels=0.1 --run=runs/labels",
)
