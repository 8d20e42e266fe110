"""result.json: what a run that is complete has come to."""

from __future__ import annotations

import contextlib
import platform
import statistics
import sys
from collections.abc import Callable

import tensorflow as tf

from simclr_tf.data import HELD_OUT, PretrainingData
from simclr_tf.model import Learner
from simclr_tf.progress import duration
from simclr_tf.training.judge import Judge
from simclr_tf.training.metrics_file import epoch_rows
from simclr_tf.training.recipe import ResolvedRecipe
from simclr_tf.training.run_folder import RunFolder, RunFolderError
from simclr_tf.version import __version__


def versions() -> dict[str, str]:
    """Of what a run depends on."""
    return {
        "simclr_tf": __version__,
        "tensorflow": tf.__version__,
        "python": platform.python_version(),
    }


def peak_memory() -> dict[str, int]:
    """Bytes that this process held at its peak, as far as the system tells.

    Returns:
      `peak_memory_bytes` of the host, and `peak_device_memory_bytes` of the first GPU
      where there is one.
    """
    found = {}
    with contextlib.suppress(ImportError):  # Windows has none.
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found["peak_memory_bytes"] = unit * used
    if tf.config.list_logical_devices("GPU"):
        with contextlib.suppress(ValueError, tf.errors.OpError):
            device = tf.config.experimental.get_memory_info("GPU:0")
            found["peak_device_memory_bytes"] = int(device["peak"])
    return found


def result_before(
    run: RunFolder, total: int, say: Callable[[str], None]
) -> dict | None:
    """The result of a run that had taken all its steps; None where there is none."""
    with contextlib.suppress(RunFolderError):  # A damaged one is written anew.
        before = run.read_result()
        if before is not None and before.get("steps") == total:
            say(f"All {total:,} steps were taken before; see {run.path}.")
            return before
    return None


def write_result(
    run: RunFolder,
    recipe: ResolvedRecipe,
    data: PretrainingData,
    model: Learner,
    judge: Judge,
    *,
    steps: int,
    seconds: float,
    say: Callable[[str], None],
) -> dict:
    """Writes result.json, and gives what it holds.

    Args:
      run: the run folder.
      recipe: all settings.
      data: images.
      model: that learned.
      judge: says whether it did.
      steps: of the whole run.
      seconds: spent on it.
      say: called with a line on it.
    """
    rows = epoch_rows(run.read_metrics())
    if not rows:
        say(f"{run.metrics} is missing: the figures of the epochs are lost.")
    held_out = 0
    own = recipe.eval_dataset is None
    if own and data.queries is not None and data.queries.split == HELD_OUT:
        held_out = len(data.queries)
    floors, verdict = judge.floors, judge.verdict(rows, steps)
    result = {
        "steps": steps,
        "epochs": recipe.all_epochs,
        "extended_by": list(recipe.extensions),
        "seconds": seconds,
        "images_per_second": _speed(rows),
        "metrics": rows[-1] if rows else {},
        "floors": floors.to_dict() if floors else None,
        "verdict": verdict.to_dict(),
        "held_out": held_out,
        "pretrained_on_all": bool(held_out) and recipe.pretrain_on_all,
        "replicas": model.distribute_strategy.num_replicas_in_sync,
        "encoder_parameters": model.encoder.count_params(),
        **peak_memory(),
        "versions": versions(),
    }
    run.write_result(result)
    say("\n".join(verdict.lines))
    say(f"Trained {steps:,} steps in {duration(seconds)}; see {run.path}.")
    return result


def _speed(rows: list[dict]) -> float | None:
    """Images a second, without the first epoch, which also compiles."""
    told = (row.get("images_per_second") for row in rows[1:] or rows)
    speeds = [float(speed) for speed in told if speed]
    return statistics.harmonic_mean(speeds) if speeds else None
