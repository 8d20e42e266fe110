"""`simclr linear_eval`: a linear classifier on frozen features."""

from __future__ import annotations

import functools

from absl import flags

from simclr_tf.cli import evaluate, linear_sgd
from simclr_tf.cli.command import Work
from simclr_tf.evaluation import linear_probe, ridge_probe


def _define(values: flags.FlagValues) -> None:
    evaluate.define(values)
    flags.DEFINE_enum(
        "protocol",
        "lbfgs",
        ["lbfgs", "sgd"],
        "how the classifier is fitted: lbfgs, logistic regression on features of each "
        "image, its penalty chosen on a fifth of the training images or, of 1,000 or "
        "fewer, by holding out each once; sgd, as published, on random crops and flips "
        "of them, in a run folder of its own that is resumed",
        flag_values=values,
    )
    linear_sgd.define(values)


def _run(values: flags.FlagValues) -> None:
    if values.protocol == "sgd":
        linear_sgd.run(values)
        return
    linear_sgd.require_unused(values)
    # To choose a penalty for 768 pixels would take minutes, and gain nothing.
    judge = functools.partial(linear_probe, seed=values.seed)
    evaluate.run(values, "linear_eval", judge, pixel_judge=ridge_probe)


WORK = Work(
    define=_define,
    run=_run,
    example="simclr linear_eval --run=runs/photos --dataset=folder:labelled",
)
