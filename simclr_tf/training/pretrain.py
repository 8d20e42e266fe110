"""A pretraining from its settings to its result."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import tensorflow as tf

from simclr_tf import messages
from simclr_tf.data import PretrainingData, Source, require_divisible, steps_per_epoch
from simclr_tf.distribution.crew import Crew
from simclr_tf.model import Learner
from simclr_tf.training.announcement import announce
from simclr_tf.training.begin import Begun, begin_or_resume
from simclr_tf.training.build import build_model, build_optimizer
from simclr_tf.training.checkpoints import newest_state
from simclr_tf.training.fit_to_time import Budget, require_one_machine
from simclr_tf.training.how_often import HowOften
from simclr_tf.training.image_verdicts import keeping_verdicts
from simclr_tf.training.judge import Judge, begin_judging
from simclr_tf.training.monitor import make_monitor
from simclr_tf.training.precision import has_fast_bfloat16
from simclr_tf.training.pretrain_loop import PretrainingParts, measurement_of
from simclr_tf.training.recipe import Recipe, ResolvedRecipe
from simclr_tf.training.result import result_before, write_result
from simclr_tf.training.run_folder import RunFolder
from simclr_tf.training.run_loop import Measurement, RunLoop
from simclr_tf.training.run_settings import load_and_resolve
from simclr_tf.training.starting_weights import load_encoder


def pretrain(
    recipe: Recipe,
    run_path: str,
    *,
    source: Source | tf.data.Dataset | None = None,
    strategy: tf.distribute.Strategy | None = None,
    minutes: float | None = None,
    data_service: str | None = None,
    checkpoint_minutes: float = 5.0,
    checkpoint_steps: int = 0,
    log_every: int = 100,
    accept_changed_data: bool = False,
    check_images: bool = False,
    say: Callable[[str], None] = messages.say,
) -> dict:
    """Trains an encoder and writes its run folder; resumes a run begun there.

    The global batch of a step is a function of (seed, step), however many replicas
    and hosts share it, and weights, optimizer and metrics are restored together: on
    one device, with the same `strategy`, a resumed run equals one that was never
    stopped.

    Of several workers each calls this at the same time; `run_path` must be one
    folder that all reach, and the chief writes it.

    Args:
      recipe: the settings; those left None take their defaults.
      run_path: the run folder, see `RunFolder`.
      source: images to learn from, in place of `recipe.dataset`: a `Source`, or a
        finite `tf.data.Dataset` of images, or of images and labels, which is read once
        and held in memory, see `data.from_dataset`. Where it has labels, a fifth of
        it is held out to measure on, unless the recipe names other images for that.
        The run's flags call it `given:…`: commands that need its images again are
        given them by `--dataset`, and a run is resumed with the same images in the
        same order. A `tf.data.Dataset` that shuffles or augments at random is other
        images each time, and such a run is not resumed.
      strategy: the devices, see `make_strategy`; TensorFlow's current one where None.
      minutes: that the run may take: it measures its speed first, and chooses what the
        recipe leaves open of encoder, view sizes and epochs so that it ends then, see
        `fit_to_time`. Of a run that has begun it changes nothing.
      data_service: address of a tf.data service that makes the batches.
      checkpoint_minutes: minutes from one saved state to the next within an epoch,
        0 or more; the state is also saved at the end of each epoch and at a stop.
      checkpoint_steps: steps from one saved state to the next; 0 for no number.
      log_every: steps from one row of metrics.jsonl to the next; 0 for one at the end
        of each epoch alone, where there always is one.
      accept_changed_data: go on where the data has changed since the run was
        started: the epoch that was left begins anew, with the data as it is now.
      check_images: decode every image file first. Without it a file that does not
        decode is found when it is to be used.
      say: called with each line that a person should read.

    Returns:
      What result.json holds; nothing of a worker that is not the chief.

    Raises:
      UserError: for a mistake in the settings or the data (`DataError`,
        `RunFolderError`), before any work is lost; `Diverged` where the loss, the
        weights or the features are no longer numbers.
      Stopped: where SIGTERM or SIGINT came, to any worker; the state is saved.
        `WorkerLost` where another worker is gone; the newest state stays.
    """
    often = HowOften(log_every, checkpoint_steps, checkpoint_minutes)
    strategy = strategy or tf.distribute.get_strategy()
    crew = Crew(strategy)
    say = say if crew.is_chief else messages.silent
    run = RunFolder(run_path)
    if crew.is_chief:
        run.require_usable()
    budget = _budget(minutes, crew, data_service)
    fast = has_fast_bfloat16(strategy)
    recipe, data, settings = load_and_resolve(
        recipe, run, strategy, crew, budget, source, fast_bfloat16=fast, say=say
    )
    model = _make_model(settings, run, data.train, strategy, say)

    with contextlib.ExitStack() as stack:
        begun = begin_or_resume(
            settings,
            run,
            data.train,
            model,
            crew,
            often,
            accept_changed_data,
            stack,
            say,
        )
        verdicts = keeping_verdicts(data, run.path, crew.is_chief, check_images)
        stack.enter_context(verdicts)
        announce(recipe, settings, data, model, begun, fast_bfloat16=fast, say=say)
        monitor = make_monitor(settings, data, model)
        judge = begin_judging(
            settings, run, data, model, monitor, crew, begun.step, say
        )
        measurement = measurement_of(settings, model, monitor, judge)
        parts = PretrainingParts(settings, data, model, begun.calendar, data_service)
        loop = _loop(run, begun, crew, often, parts, measurement, budget, say)
        loop.run_to_end()
        return _result(loop, settings, data, judge)


def _loop(
    run: RunFolder,
    begun: Begun,
    crew: Crew,
    often: HowOften,
    parts: PretrainingParts,
    measurement: Measurement,
    budget: Budget | None,
    say: Callable[[str], None],
) -> RunLoop:
    data, model = parts.data, parts.model
    return RunLoop(
        run=run,
        model=model,
        begun=begun,
        crew=crew,
        often=often,
        part=parts.part,
        measurement=measurement,
        shown={**model.method.shown, "probe": "probe_accuracy"},
        pixels=parts.pixels,
        sources=(data.train, data.bank, data.queries),
        batch_size=parts.recipe.batch_size,
        steps_per_execution=parts.recipe.steps_per_execution,
        say=say,
        seconds_before=budget.spent if budget else 0.0,
    )


def _result(
    loop: RunLoop, recipe: ResolvedRecipe, data: PretrainingData, judge: Judge
) -> dict:
    """What result.json holds, or held where all steps were taken before."""
    run, total, say = loop.run, loop.begun.calendar.total, loop.say
    if not loop.crew.is_chief:
        return {}
    before = result_before(run, total, say) if loop.begun.step == total else None
    return before or write_result(
        run,
        recipe,
        data,
        loop.model,
        judge,
        steps=total,
        seconds=loop.seconds,
        say=say,
    )


def _budget(
    minutes: float | None, crew: Crew, data_service: str | None
) -> Budget | None:
    """The time of a run that begins now."""
    if minutes is None:
        return None
    require_one_machine(crew, data_service)
    return Budget(minutes, time.monotonic())


def _make_model(
    recipe: ResolvedRecipe,
    run: RunFolder,
    source: Source,
    strategy: tf.distribute.Strategy,
    say: Callable[[str], None],
) -> Learner:
    """The compiled model with its first weights."""
    per_epoch = steps_per_epoch(source, recipe.batch_size)
    require_divisible(
        recipe.batch_size, strategy.num_replicas_in_sync, recipe.micro_batches
    )
    with strategy.scope():
        model = build_model(recipe, num_classes=source.num_classes)
        model.compile(build_optimizer(recipe, per_epoch))
    if (
        recipe.init is not None
        and newest_state(run.checkpoints, messages.silent) is None
    ):
        load_encoder(recipe.init, model, say)
    return model
