"""`simclr knn`: weighted nearest neighbours on frozen features."""

from __future__ import annotations

import functools

from absl import flags

from simclr_tf.cli import evaluate
from simclr_tf.cli.command import Work
from simclr_tf.evaluation import knn


def _define(values: flags.FlagValues) -> None:
    evaluate.define(values)
    flags.DEFINE_integer(
        "k", 20, "neighbours that vote", lower_bound=1, flag_values=values
    )
    flags.DEFINE_float(
        "temperature",
        0.1,
        "what similarities are divided by before they become weights",
        flag_values=values,
    )


def _run(values: flags.FlagValues) -> None:
    judge = functools.partial(knn, k=values.k, temperature=values.temperature)
    evaluate.run(values, "knn", judge)


WORK = Work(
    define=_define,
    run=_run,
    example="simclr knn --run=runs/photos --dataset=folder:labelled",
)
