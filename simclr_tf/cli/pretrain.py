"""`simclr pretrain`: trains an encoder on unlabelled images."""

from __future__ import annotations

import contextlib
import os

import tensorflow as tf
from absl import flags

from simclr_tf.cli import recipe_flags, saving_flags, strategy_flags
from simclr_tf.cli.command import Work
from simclr_tf.cli.report import FILE_NAME, write_at_end
from simclr_tf.training import RunFolder, RunFolderError, pretrain


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
    flags.DEFINE_boolean(
        "report",
        True,
        f"write a page about the run, {FILE_NAME} in its folder, when it has ended; "
        "see simclr report",
        flag_values=values,
    )
    recipe_flags.define(values)


def _run(values: flags.FlagValues) -> None:
    before = _result(values.run)
    result = pretrain(
        recipe_flags.recipe(values),
        values.run,
        strategy=strategy_flags.strategy(values),
        minutes=values.minutes,
        **saving_flags.arguments(values),
        check_images=values.check_images,
    )
    # Of several workers the chief alone has a result.
    again = result == before and tf.io.gfile.exists(os.path.join(values.run, FILE_NAME))
    if values.report and result and not again:
        write_at_end(values.run)


def _result(run: str) -> dict | None:
    """What a run has come to before; None where it has not ended."""
    with contextlib.suppress(RunFolderError):
        return RunFolder(run).read_result()
    return None


WORK = Work(
    define=_define,
    run=_run,
    example="simclr pretrain --dataset=folder:photos --image_size=96 --run=runs/photos",
)
