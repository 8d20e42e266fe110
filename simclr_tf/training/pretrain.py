"""The training loop, top to bottom."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from simclr_tf.data import (
    DataError,
    Source,
    load,
    load_pair,
    pretrain_batches,
    steps_per_epoch,
)
from simclr_tf.model import SimCLR
from simclr_tf.training.build import build_model, build_optimizer
from simclr_tf.training.knn_monitor import KnnMonitor
from simclr_tf.training.progress import Progress, duration
from simclr_tf.training.recipe import Recipe
from simclr_tf.training.run_folder import RunFolder
from simclr_tf.training.stop_signal import StopSignal
from simclr_tf.version import __version__

_KEPT_CHECKPOINTS = 2


class Stopped(Exception):
    """A signal ended the run; the same command resumes it."""


class Diverged(Exception):
    """The loss is no longer a number."""


def pretrain(
    recipe: Recipe, run_path: str, *, say: Callable[[str], None] = print
) -> dict:
    """Trains an encoder and writes its run folder; resumes a run begun there.

    The batch of a step is a function of (seed, step), and weights, optimizer and
    metrics are restored together: on one device a resumed run equals one that was
    never stopped.

    Args:
      recipe: the settings; those left None take their defaults.
      run_path: the run folder, see `RunFolder`.
      say: called with each line that a person should read.

    Returns:
      What result.json holds.

    Raises:
      ValueError: for a mistake in the settings or the data (`DataError`,
        `RunFolderError`), before any work is lost.
      Stopped: where SIGTERM or SIGINT came; the state is saved.
      Diverged: where the loss is no longer a number.
    """
    source, recipe = _load_source(recipe)
    per_epoch = steps_per_epoch(source, recipe.batch_size)
    total_steps = recipe.epochs * per_epoch
    monitor = _make_monitor(recipe, source)
    run = RunFolder(run_path)
    model = build_model(recipe, num_classes=source.num_classes)
    model.compile(build_optimizer(recipe, per_epoch))
    run.start(recipe)

    step = tf.Variable(0, dtype=tf.int64, trainable=False)
    seconds = tf.Variable(0.0, dtype=tf.float64, trainable=False)
    manager = _restore(run, model, step, seconds)
    first = start = int(step)
    run.keep_metrics_until(start)
    say(_opening(recipe, source, model, run, start, total_steps))

    batches = iter(
        pretrain_batches(
            source,
            model.augmenter,
            batch_size=recipe.batch_size,
            seed=recipe.seed,
            start_step=start,
        )
    )
    train = model.make_train_function()
    progress = Progress(
        total_steps * recipe.batch_size, start=start * recipe.batch_size
    )
    writer = tf.summary.create_file_writer(run.tensorboard)
    began, earlier = time.monotonic(), float(seconds)

    def save(done: int) -> None:
        step.assign(done)
        seconds.assign(earlier + time.monotonic() - began)
        manager.save(checkpoint_number=done)

    with StopSignal() as stop:
        while start < total_steps:
            epoch = start // per_epoch
            end = (epoch + 1) * per_epoch
            epoch_began = time.monotonic()
            for done in range(start + 1, end + 1):
                logs = train(batches)
                if stop.requested:
                    progress.clear()
                    save(done)
                    raise Stopped(
                        f"Stopped after step {done:,} of {total_steps:,}; the state is "
                        f"saved in {run.path}. The same command resumes it."
                    )
                if progress.due():
                    shown = {"loss": logs["loss"], "acc": logs["contrastive_accuracy"]}
                    progress.show(done * recipe.batch_size, _numbers(shown))
            row = {"step": end, "epoch": epoch + 1, **_numbers(logs)}
            speed = (end - start) * recipe.batch_size
            row["images_per_second"] = speed / (time.monotonic() - epoch_began)
            if not np.isfinite(row["loss"]):
                progress.clear()
                raise Diverged(
                    f"The loss became {row['loss']} in epoch {epoch + 1}: lower "
                    "--learning_rate, raise --warmup_epochs, or use "
                    f"--precision=float32. The last good state is in {run.path}."
                )
            row.update(monitor.run(model) if monitor else {})
            progress.clear()
            say(_epoch_line(row, recipe.epochs, progress.left(end * recipe.batch_size)))
            run.append_metrics(row)
            _write_summaries(writer, row)
            model.reset_metrics()
            save(end)
            start = end

    result = _result(recipe, run, source, float(seconds), total_steps)
    result["parameters"] = int(model.encoder.count_params())
    result["images_per_second"] = progress_rate(run) if first < total_steps else None
    run.write_result(result)
    say(
        f"Done: {total_steps:,} steps in {duration(float(seconds))}. "
        f"Encoder and numbers are in {run.path}."
    )
    return result


def _load_source(recipe: Recipe) -> tuple[Source, Recipe]:
    """The training images, and the recipe with its defaults filled in."""
    source = load(
        recipe.dataset, "train", image_size=recipe.image_size, labels=recipe.labels
    )
    recipe = recipe.resolved(native_size=min(source.image_shape[:2]))
    return source, recipe
