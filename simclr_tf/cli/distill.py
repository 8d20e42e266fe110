"""`simclr distill`: trains a student on a teacher's answers."""

from __future__ import annotations

from absl import flags

from simclr_tf.cli import recipe_flags, saving_flags, strategy_flags
from simclr_tf.cli.command import Work
from simclr_tf.training import Distillation, distill


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string(
        "run",
        "runs/distill",
        "folder the run writes, not that of --teacher; one that holds a run of the "
        "same settings is resumed",
        flag_values=values,
    )
    strategy_flags.define(values)
    saving_flags.define(values)
    recipe_flags.define(values, said=Distillation)


def _run(values: flags.FlagValues) -> None:
    distill(
        recipe_flags.settings(values, Distillation),
        values.run,
        strategy=strategy_flags.strategy(values),
        **saving_flags.arguments(values),
    )


WORK = Work(
    define=_define,
    run=_run,
    example="simclr distill --teacher=runs/labels --encoder=resnet18 --run=runs/small",
)
