"""All parts of the benchmark, as a table and as JSON."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from simclr_tf import messages, whole_files
from simclr_tf.benchmark import step, views
from simclr_tf.benchmark.jpeg_files import measure_jpeg_files
from simclr_tf.benchmark.loss import measure_losses
from simclr_tf.benchmark.memory import measure_memory
from simclr_tf.benchmark.pretraining import measure_pretraining
from simclr_tf.benchmark.timing import Measured
from simclr_tf.data import Source, load
from simclr_tf.errors import UserError
from simclr_tf.suggestions import did_you_mean
from simclr_tf.training.precision import has_fast_bfloat16
from simclr_tf.version import __version__

# Takes images and the number of repeats; yields the measurements of one job at a time.
Part = Callable[[Source, int], Iterator[list[Measured]]]
PARTS: dict[str, Part] = {
    "views": views.measure_views,
    "jpeg_files": measure_jpeg_files,
    "step": lambda source, n: step.measure_steps(n),
    "pretrain": measure_pretraining,
    "loss": lambda source, n: measure_losses(n),
    "memory": lambda source, n: measure_memory(n),
    "growth": lambda source, n: itertools.chain(
        views.measure_growth(source, n), step.measure_growth(n)
    ),
}


def benchmark(
    parts: Sequence[str] = tuple(PARTS),
    *,
    measures: Mapping[str, Part] = PARTS,
    dataset: str = "shapes",
    repeats: int = 5,
    output: str | None = None,
    say: Callable[[str], None] = messages.say,
) -> dict[str, Any]:
    """Measures parts of the work on this machine.

    Args:
      parts: names in `measures`, in the order to measure them.
      measures: the function that measures each part.
      dataset: images to make views of and to train on, see `simclr_tf.data.load`. If
        it has JPEG files, these are the files that "jpeg_files" decodes.
      repeats: measured runs of each contender, at least 1; the result is their median.
        The contenders for a job run in turns, except in "loss" and "memory", where
        each has a process of its own.
      output: JSON file for the measurements, replaced after each job.
      say: called with each line of the table.

    Returns:
      The measurements and a description of the machine, ready for JSON.

    Raises:
      UserError: where a part is unknown or none is named, `repeats` is not positive,
        the images cannot be read, or `output` cannot be written.
      OSError: where a job's process fails, as it does where memory is too small.
    """
    unknown = set(parts) - set(measures)
    if unknown:
        name = min(unknown)
        raise UserError(
            f"There is no part {name!r}: choose from {', '.join(measures)}."
            f"{did_you_mean(name, measures)}"
        )
    if not parts:
        raise UserError(f"Name at least one part of {', '.join(measures)}.")
    if repeats < 1:
        raise UserError(f"repeats must be at least 1, got {repeats}.")
    source = load(dataset, "train", image_size=None, labels=False)
    machine = describe_machine()
    say(", ".join(str(value) for value in machine.values()))
    measured: list[dict[str, Any]] = []
    figures = {"machine": machine, "measured": measured}
    if output is not None:
        _write(figures, output)
    for part in parts:
        for together in measures[part](source, repeats):
            say(f"\n{part}: {together[0].job}")
            for row in together:
                say(_line(row, together[0]))
            measured += [{**dataclasses.asdict(row), "part": part} for row in together]
            if output is not None:
                _write(figures, output)
    return figures


def describe_machine() -> dict[str, Any]:
    """The machine and versions that the figures depend on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    gpus = tf.config.list_physical_devices("GPU")
    return {
        "processor": _processor(),
        "cores": f"{len(os.sched_getaffinity(0))} cores",
        "memory": f"{memory / 2**30:.0f} GiB",
        "gpus": f"{len(gpus)} GPUs",
        "bfloat16": f"{'' if has_fast_bfloat16() else 'no '}fast bfloat16",
        "tensorflow": f"TensorFlow {tf.__version__}",
        "simclr_tf": f"simclr_tf {__version__}",
    }


def _write(figures: dict[str, Any], path: str) -> None:
    try:
        whole_files.replace_file(path, json.dumps(figures, indent=1) + "\n")
    except whole_files.FILE_ERRORS as error:
        raise UserError(
            f"{path} cannot be written: {whole_files.why(error)}."
        ) from error


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            lines = [line for line in file if line.startswith("model name")]
    except OSError:
        lines = []
    if lines:
        return lines[0].split(":")[1].strip()
    return platform.processor() or platform.machine()


def _line(row: Measured, first: Measured) -> str:
    text = f"  {row.who:<32}{row.seconds:>10.3f} s"
    if row.images_per_second is not None:
        text += f"{row.images_per_second:>12,.0f} images/s"
    if row.peak_gib is not None:
        text += f"{row.peak_gib:>10.2f} GiB"
    if row is not first:
        text += f"   {row.seconds / first.seconds:.2f} x the time of {first.who}"
    return text
