"""The training loop, top to bottom."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import tensorflow as tf

from simclr_tf.data import (
    MissingSplit,
    Source,
    load,
    load_train_and_test,
    pretrain_batches,
    steps_per_epoch,
)
from simclr_tf.model import SimCLR
from simclr_tf.progress import Progress, duration
from simclr_tf.training.build import (
    build_augmenter,
    build_model,
    build_optimizer,
)
from simclr_tf.training.checkpoints import Checkpoints
from simclr_tf.training.knn_monitor import KnnMonitor
from simclr_tf.training.recipe import Recipe
from simclr_tf.training.run_folder import RunFolder
from simclr_tf.training.stop_signal import StopSignal
from simclr_tf.version import __version__


class Stopped(Exception):
    """A signal ended the run; the same command resumes it."""


class Diverged(ValueError):
    """The loss or the features are no longer numbers."""


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
        `RunFolderError`), before any work is lost; `Diverged` where the loss or the
        features are no longer numbers.
      Stopped: where SIGTERM or SIGINT came; the state is saved.
    """
    recipe.resolved()  # Mistakes are told before a large folder is read.
    source = load(
        recipe.dataset, "train", image_size=recipe.image_size, labels=recipe.labels
    )
    recipe = recipe.resolved(native_size=min(source.image_shape[:2]))
    per_epoch = steps_per_epoch(source, recipe.batch_size)
    total = recipe.epochs * per_epoch
    monitor = _monitor(recipe, source)
    model = build_model(recipe, num_classes=source.num_classes)
    model.compile(build_optimizer(recipe, per_epoch))

    run = RunFolder(run_path)
    run.start(recipe)
    checkpoints = Checkpoints(run.checkpoints, model)
    step, seconds_before = checkpoints.restore()
    run.keep_metrics_until(step)
    say(_opening(recipe, source, model, step, per_epoch))

    batch = recipe.batch_size
    batches, view_size = None, None
    train = model.make_train_function()
    writer = tf.summary.create_file_writer(run.tensorboard)
    progress = Progress(
        total * batch,
        start=step * batch,
        cost=lambda images: _pixels(recipe, images, per_epoch * batch),
    )
    began = time.monotonic()

    def save(done: int) -> None:
        checkpoints.save(done, seconds_before + time.monotonic() - began)

    with StopSignal() as stop:
        while step < total:
            epoch = step // per_epoch
            if recipe.view_size(epoch) != view_size:
                view_size = recipe.view_size(epoch)
                batches = _batches(recipe, source, view_size, step)
            epoch_start, epoch_end = step, (epoch + 1) * per_epoch
            epoch_began = time.monotonic()
            while step < epoch_end and not stop.requested:
                logs = train(batches)
                step += 1
                if progress.due():
                    progress.show(step * batch, _shown(_numbers(logs)))
            if step < epoch_end:
                progress.clear()
                save(step)
                raise Stopped(
                    f"Stopped after step {step:,} of {total:,}; the state is saved "
                    f"in {run.path}. The same command resumes it."
                )
            row = {"step": step, "epoch": epoch + 1, **_numbers(logs)}
            images = (step - epoch_start) * batch
            row["images_per_second"] = images / (time.monotonic() - epoch_began)
            progress.clear()
            if monitor is not None:
                row.update(monitor.run(model))
            _require_finite(row, run)
            left = progress.left(step * batch)
            say(
                f"epoch {epoch + 1}/{recipe.epochs}  {_text(_shown(row))}  "
                f"{row['images_per_second']:,.0f} images/s  {left} left"
            )
            run.append_metrics(row)
            with writer.as_default(step=step):
                for name, value in row.items():
                    tf.summary.scalar(name, value)
            model.reset_metrics()
            save(step)

    result = _result(recipe, run, model, seconds_before + time.monotonic() - began)
    run.write_result(result)
    say(f"Trained {total:,} steps in {duration(result['seconds'])}; see {run.path}.")
    return result


def _batches(
    recipe: Recipe, source: Source, view_size: int, step: int
) -> Iterator[dict[str, tf.Tensor]]:
    """The batches of a step and those after it."""
    batches = pretrain_batches(
        source,
        build_augmenter(recipe, view_size),
        batch_size=recipe.batch_size,
        seed=recipe.seed,
        start_step=step,
    )
    return iter(batches)


def _pixels(recipe: Recipe, images: int, epoch_images: int) -> float:
    """Pixels of a view of each of the first `images` of a run, added up."""
    early = min(images, recipe.early_epochs * epoch_images)
    late = images - early
    return early * recipe.early_view_size**2 + late * recipe.image_size**2


def _monitor(recipe: Recipe, source: Source) -> KnnMonitor | None:
    """kNN while training, where there are labels to measure it with."""
    if source.num_classes is None:
        return None
    try:
        bank, queries = load_train_and_test(
            recipe.dataset, recipe.test_dataset, image_size=recipe.image_size
        )
    except MissingSplit:
        return None
    return KnnMonitor(bank, queries, recipe.image_size)


def _opening(
    recipe: Recipe, source: Source, model: SimCLR, step: int, per_epoch: int
) -> str:
    lines = [
        f"Data: {source}",
        f"Encoder: {recipe.encoder}, {model.encoder.count_params():,} parameters, "
        f"{recipe.precision}, {_views(recipe)}",
        f"Training: {recipe.epochs} epochs of {per_epoch:,} steps of "
        f"{recipe.batch_size:,} images, {recipe.optimizer}, learning rate "
        f"{recipe.learning_rate:g} ({recipe.learning_rate_scaling}), temperature "
        f"{recipe.temperature:g}",
    ]
    if step:
        lines.append(f"Resuming after step {step:,}.")
    return "\n".join(lines)


def _views(recipe: Recipe) -> str:
    views = f"views of {recipe.image_size} px"
    if recipe.early_epochs:
        views += f" (first {recipe.early_epochs} epochs {recipe.early_view_size} px)"
    return views


def _numbers(values: Mapping[str, object]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}


def _shown(values: Mapping[str, float]) -> dict[str, float]:
    """The few numbers that tell a person how it goes, under short names."""
    names = {
        "loss": "contrastive_loss",
        "acc": "contrastive_accuracy",
        "probe": "probe_accuracy",
        "kNN": "knn_accuracy",
    }
    return {short: values[name] for short, name in names.items() if name in values}


def _text(values: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {value:.3f}" for name, value in values.items())


def _require_finite(row: Mapping[str, float], run: RunFolder) -> None:
    for name, value in row.items():
        if not np.isfinite(value):
            raise Diverged(
                f"{name} became {value} in epoch {row['epoch']}: lower "
                "--learning_rate, raise --warmup_epochs, or use --precision=float32. "
                f"The state before that epoch is in {run.path}."
            )


def _result(recipe: Recipe, run: RunFolder, model: SimCLR, seconds: float) -> dict:
    """What result.json holds: final numbers, cost, versions."""
    rows = run.read_metrics()
    # The first epoch also compiles.
    speeds = [row["images_per_second"] for row in rows[1:] or rows]
    return {
        "steps": rows[-1]["step"],
        "epochs": recipe.epochs,
        "seconds": seconds,
        "images_per_second": statistics.harmonic_mean(speeds),
        "metrics": rows[-1],
        "encoder_parameters": model.encoder.count_params(),
        "versions": {
            "simclr_tf": __version__,
            "tensorflow": tf.__version__,
            "python": platform.python_version(),
        },
    }
