"""`simclr benchmark`: this machine's speed, beside stock keras-cv layers."""

from __future__ import annotations

from absl import flags

from simclr_tf.benchmark import PARTS, benchmark
from simclr_tf.cli import output
from simclr_tf.cli.command import Work
from simclr_tf.data import NOTATION
from simclr_tf.messages import say


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_list(
        "parts",
        list(PARTS),
        f"what to measure, separated by commas: {', '.join(PARTS)}",
        flag_values=values,
    )
    flags.DEFINE_string(
        "dataset",
        "shapes",
        f"images to make views of and to train on: {NOTATION}; jpeg_files decodes the "
        "JPEG files of a folder",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "repeats",
        5,
        "measured runs of each contender, in turns except in loss and memory, where "
        "each has a process of its own; the result is the median. Five runs of all "
        "parts take about forty minutes on two cores",
        lower_bound=1,
        flag_values=values,
    )
    flags.DEFINE_string(
        "output",
        "benchmark.json",
        "JSON file to write, replaced after each job",
        flag_values=values,
    )


def _run(values: flags.FlagValues) -> None:
    output.require_writable_file(values.output)
    benchmark(
        values.parts,
        dataset=values.dataset,
        repeats=values.repeats,
        output=values.output,
    )
    say(f"\nWritten to {values.output}.")


WORK = Work(
    define=_define,
    run=_run,
    example="simclr benchmark --parts=views,loss",
)
