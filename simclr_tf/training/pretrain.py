"""The training loop, top to bottom."""

from __future__ import annotations

import contextlib
import dataclasses
import platform
import re
import statistics
import tempfile
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
    require_divisible,
    steps_per_epoch,
)
from simclr_tf.distribution.crew import Crew
from simclr_tf.errors import UserError
from simclr_tf.model import SimCLR
from simclr_tf.model.gradient_cache import require_repeatable
from simclr_tf.progress import Progress, duration
from simclr_tf.training.build import (
    build_augmenter,
    build_model,
    build_optimizer,
)
from simclr_tf.training.checkpoints import Checkpoints
from simclr_tf.training.journal import Journal
from simclr_tf.training.knn_monitor import KnnMonitor
from simclr_tf.training.precision import has_fast_bfloat16
from simclr_tf.training.recipe import Recipe, ResolvedRecipe
from simclr_tf.training.run_folder import RunFolder
from simclr_tf.training.stop_signal import StopSignal
from simclr_tf.version import __version__


class Stopped(Exception):
    """A signal ended the run; the same command resumes it."""


class WorkerLost(Stopped):
    """Another worker of the run is gone; the same commands resume it."""


class Diverged(UserError):
    """The loss or the features are no longer numbers."""


def pretrain(
    recipe: Recipe,
    run_path: str,
    *,
    strategy: tf.distribute.Strategy | None = None,
    data_service: str | None = None,
    say: Callable[[str], None] = print,
) -> dict:
    """Trains an encoder and writes its run folder; resumes a run begun there.

    The global batch of a step is a function of (seed, step), however many replicas
    and hosts share it, and weights, optimizer and metrics are restored together: on
    one device a resumed run equals one that was never stopped.

    Of several workers each calls this at the same time; `run_path` must be one
    folder that all reach, and the chief writes it.

    Args:
      recipe: the settings; those left None take their defaults.
      run_path: the run folder, see `RunFolder`.
      strategy: the devices, see `make_strategy`; TensorFlow's current one where None.
      data_service: address of a tf.data service that makes the batches.
      say: called with each line that a person should read.

    Returns:
      What result.json holds; nothing of a worker that is not the chief.

    Raises:
      ValueError: for a mistake in the settings or the data (`DataError`,
        `RunFolderError`), before any work is lost; `Diverged` where the loss or the
        features are no longer numbers.
      Stopped: where SIGTERM or SIGINT came, to any worker; the state is saved.
        `WorkerLost` where another worker is gone; the state is that of the last
        whole epoch.
    """
    strategy = strategy or tf.distribute.get_strategy()
    crew = Crew(strategy)
    say = say if crew.is_chief else _silent
    recipe.resolve()  # Mistakes are told before a large folder is read.
    source = load(
        recipe.dataset, "train", image_size=recipe.image_size, labels=recipe.labels
    )
    run = RunFolder(run_path)
    if recipe.precision is None and run.is_run():
        # Its default is the machine's, and the run may have begun on another one.
        recipe = dataclasses.replace(recipe, precision=run.recipe().precision)
    fast_bfloat16 = has_fast_bfloat16(strategy)
    recipe = recipe.resolve(
        min(source.image_shape[:2]),
        # Hosts know themselves alone, and must come to one default.
        fast_bfloat16=fast_bfloat16 and crew.count == 1,
    )
    per_epoch = steps_per_epoch(source, recipe.batch_size)
    require_divisible(
        recipe.batch_size, strategy.num_replicas_in_sync, recipe.micro_batches
    )
    total = recipe.epochs * per_epoch
    monitor = _monitor(recipe, source)
    with strategy.scope():
        model = build_model(recipe, num_classes=source.num_classes)
        model.compile(build_optimizer(recipe, per_epoch))
    if recipe.micro_batches > 1:
        require_repeatable(model.encoder)

    with contextlib.ExitStack() as stack:
        aside = None
        if crew.is_chief:
            run.start(recipe)
        else:
            aside = stack.enter_context(tempfile.TemporaryDirectory())
        checkpoints = Checkpoints(run.checkpoints, model, write_to=aside)
        step, seconds_before = checkpoints.restore()
        journal = Journal(run, step) if crew.is_chief else None
        say(_opening(recipe, source, model, step, per_epoch))
        if recipe.precision == "bfloat16" and not fast_bfloat16 and not step:
            say(
                "This machine shows no instructions for bfloat16; where it imitates "
                "them, --precision=float32 is several times as fast."
            )

        batch = recipe.batch_size
        batches, view_size = None, None
        progress = Progress(
            total * batch,
            start=step * batch,
            cost=lambda images: _pixels(recipe, images, per_epoch * batch),
        )
        began = time.monotonic()

        def seconds() -> float:
            return seconds_before + time.monotonic() - began

        stop = stack.enter_context(StopSignal())
        stack.enter_context(_watching(crew, run))
        stopping = False
        while step < total:
            epoch = step // per_epoch
            if recipe.view_size(epoch) != view_size:
                view_size = recipe.view_size(epoch)
                model.augmenter = build_augmenter(recipe, view_size)
                train = make_train_function(model)
                batches = _batches(recipe, source, model, step, data_service)
            epoch_start, epoch_end = step, (epoch + 1) * per_epoch
            epoch_began = time.monotonic()
            while step < epoch_end and not stopping:
                steps = min(recipe.steps_per_execution, epoch_end - step)
                train(batches, steps)
                step += steps
                if crew.is_chief and progress.due():
                    # To read metrics is an exchange, which takes all workers.
                    seen = _results(model) if crew.count == 1 else {}
                    progress.show(step * batch, _shown(seen))
                stopping = crew.agree(step, stop.requested)
            if step < epoch_end:
                progress.clear()
                checkpoints.save(step, seconds())
                raise Stopped(
                    f"Stopped after step {step:,} of {total:,}; the state is saved "
                    f"in {run.path}. The same command resumes it."
                )
            row = {"step": step, "epoch": epoch + 1, **_results(model)}
            images = (step - epoch_start) * batch
            row["images_per_second"] = images / (time.monotonic() - epoch_began)
            if crew.is_chief:
                progress.clear()
            if monitor is not None:
                row.update(monitor.run(model))
            _require_finite(row, run)
            left = progress.left(step * batch)
            say(
                f"epoch {epoch + 1}/{recipe.epochs}  {_text(_shown(row))}  "
                f"{row['images_per_second']:,.0f} images/s  {left} left"
            )
            if journal is not None:
                journal.write(row)
            model.reset_metrics()
            checkpoints.save(step, seconds())

    if not crew.is_chief:
        return {}
    result = _result(recipe, run, model, strategy, seconds())
    run.write_result(result)
    say(f"Trained {total:,} steps in {duration(result['seconds'])}; see {run.path}.")
    return result


def _silent(line: str) -> None:
    """What workers other than the chief say."""


@contextlib.contextmanager
def _watching(crew: Crew, run: RunFolder) -> Iterator[None]:
    """Turns what TensorFlow raises when a worker dies into `WorkerLost`."""
    try:
        yield
    except (
        tf.errors.UnavailableError,
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
        tf.errors.InternalError,
    ) as error:
        if crew.count == 1:
            raise
        tasks = re.findall(r"/job:(\w+)(?:/replica:\d+)?/task:(\d+)", error.message)
        others = {(job, int(task)) for job, task in tasks} - {crew.task}
        lost = "{} {}".format(*min(others)) if others else "another worker"
        raise WorkerLost(
            f"Of {crew.count} workers {lost} is gone. Start the same command on every "
            f"host again: it resumes from the newest state in {run.path}."
        ) from error


def make_train_function(
    model: SimCLR,
) -> Callable[[Iterator[dict[str, tf.Tensor]], int], None]:
    """A function that takes some steps on all replicas, given batches and how many.

    It returns nothing, so that Python never waits for a device: the model's metrics
    hold what there is to know.
    """
    strategy = model.distribute_strategy

    @tf.function
    def train(batches: Iterator[dict[str, tf.Tensor]], steps: tf.Tensor) -> None:
        for _ in tf.range(steps):
            strategy.run(model.learn, args=(next(batches),))

    return lambda batches, steps: train(batches, tf.constant(steps))


def _batches(
    recipe: ResolvedRecipe,
    source: Source,
    model: SimCLR,
    step: int,
    data_service: str | None,
) -> Iterator[dict[str, tf.Tensor]]:
    """The batches of a step and those after it, each replica's share apart."""
    on_host = recipe.augment_on == "host"

    def pipeline(context: tf.distribute.InputContext) -> tf.data.Dataset:
        return pretrain_batches(
            source,
            model.augmenter if on_host else None,
            batch_size=recipe.batch_size,
            seed=recipe.seed,
            start_step=step,
            context=context,
            data_service=data_service,
        )

    return iter(model.distribute_strategy.distribute_datasets_from_function(pipeline))


def _pixels(recipe: ResolvedRecipe, images: int, epoch_images: int) -> float:
    """Pixels of a view of each of the first `images` of a run, added up."""
    early = min(images, recipe.early_epochs * epoch_images)
    late = images - early
    return early * recipe.early_view_size**2 + late * recipe.image_size**2


def _monitor(recipe: ResolvedRecipe, source: Source) -> KnnMonitor | None:
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
    recipe: ResolvedRecipe, source: Source, model: SimCLR, step: int, per_epoch: int
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


def _views(recipe: ResolvedRecipe) -> str:
    views = f"views of {recipe.image_size} px"
    if recipe.early_epochs:
        views += f" (first {recipe.early_epochs} epochs {recipe.early_view_size} px)"
    return views


def _results(model: SimCLR) -> dict[str, float]:
    return {metric.name: float(metric.result()) for metric in model.metrics}


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


def _result(
    recipe: ResolvedRecipe,
    run: RunFolder,
    model: SimCLR,
    strategy: tf.distribute.Strategy,
    seconds: float,
) -> dict:
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
        "replicas": strategy.num_replicas_in_sync,
        "encoder_parameters": model.encoder.count_params(),
        "versions": {
            "simclr_tf": __version__,
            "tensorflow": tf.__version__,
            "python": platform.python_version(),
        },
    }
