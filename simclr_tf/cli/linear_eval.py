"""`simclr linear_eval`: logistic regression on frozen features."""

from __future__ import annotations

from absl import flags

from simclr_tf.cli import evaluate
from simclr_tf.cli.command import Command
from simclr_tf.evaluation import linear_probe, ridge_probe


def _run(values: flags.FlagValues) -> None:
    # To choose a penalty for 768 pixels would take minutes, and gain nothing.
    evaluate.run(values, "linear_eval", linear_probe, pixel_judge=ridge_probe)


LINEAR_EVAL = Command(
    name="linear_eval",
    summary="accuracy of a linear classifier on an encoder's frozen features",
    define=evaluate.define,
    run=_run,
    example="simclr linear_eval --run=runs/photos --dataset=folder:labelled",
)
