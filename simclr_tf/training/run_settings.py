"""All settings of a run: said by the user, chosen, or those it began with."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from simclr_tf.data import (
    PretrainingData,
    Source,
    from_dataset,
    given_spec,
    in_form,
)
from simclr_tf.distribution.crew import Crew
from simclr_tf.errors import UserError
from simclr_tf.methods import method_class
from simclr_tf.training import defaults
from simclr_tf.training.fit_to_time import Budget, fit_to_time
from simclr_tf.training.recipe import Recipe, ResolvedRecipe
from simclr_tf.training.run_folder import RunFolder
from simclr_tf.training.run_images import RunImages
from simclr_tf.training.starting_weights import encoder_of, require_weights


def load_and_resolve(
    recipe: Recipe,
    run: RunFolder,
    strategy: tf.distribute.Strategy,
    crew: Crew,
    budget: Budget | None = None,
    source: Source | tf.data.Dataset | None = None,
    *,
    fast_bfloat16: bool,
    say: Callable[[str], None],
) -> tuple[Recipe, PretrainingData, ResolvedRecipe]:
    """The images, and the settings with all defaults that follow from them.

    What is left open of a run that has begun is as the run has it.

    Args:
      recipe: settings as the user says them.
      run: where they are trained.
      strategy: the devices.
      crew: the workers.
      budget: time that a run that begins may take; None for what its epochs take.
      source: images in place of those that the recipe names, see `pretrain`.
      fast_bfloat16: whether this machine is fast in it.
      say: called with a line on settings that were chosen, or are the run's.

    Returns:
      The settings that are said, those that the budget chose among them; the images;
      and all settings.

    Raises:
      UserError: for a mistake in the settings or the data.
    """
    if recipe.init is not None and recipe.encoder is None:
        recipe = dataclasses.replace(recipe, encoder=encoder_of(recipe.init))
    if run.is_run():
        require_trained_here(run)
        began = run.recipe()
        recipe = dataclasses.replace(
            recipe,
            channels=recipe.channels or began.channels,
            value_range=recipe.value_range or began.value_range,
        )
    settings = recipe.resolve()  # Mistakes are told before a large folder is read.
    if not run.is_run() and settings.init is not None:
        size, channels = settings.image_size, settings.channels
        require_weights(settings.init, settings.encoder, size, channels)
    given = None
    if source is not None:
        recipe, given = _handed_over(recipe, source)
    images = RunImages(recipe, given)
    native = images.native_side

    def resolve(recipe: Recipe) -> ResolvedRecipe:
        return recipe.resolve(
            native,
            images=images.count,
            native_channels=images.channels,
            replicas=strategy.num_replicas_in_sync,
            # Hosts know themselves alone, and must come to one default.
            fast_bfloat16=crew.count == 1 and fast_bfloat16,
        )

    if run.is_run():
        settings = resolve(recipe.completed_by(run.recipe()))
        _say_what_is_the_runs(resolve(recipe), settings, run, say)
    else:
        if recipe.batch_size is None:
            defaults.require_enough_images(images.count, recipe.dataset)
        if budget is not None:
            recipe = fit_to_time(
                recipe, budget, images, native, strategy, resolve=resolve, say=say
            )
        settings = resolve(recipe)
    data = images.for_views(settings)
    kind = method_class(settings.method)
    if kind.learns_from_labels and data.train.num_classes is None:
        raise UserError(
            f"--method={settings.method} learns from labels, and {data.train} has none."
        )
    return recipe, data, settings


def _handed_over(
    recipe: Recipe, source: Source | tf.data.Dataset
) -> tuple[Recipe, Source]:
    """The recipe that says so, and the source."""
    if recipe.dataset != Recipe.dataset:
        raise UserError(
            f"source is given, and dataset={recipe.dataset!r} in the recipe: leave one "
            "of them out."
        )
    if isinstance(source, tf.data.Dataset):
        source = from_dataset(source, labels=recipe.labels, form=recipe.form)
    elif not isinstance(source, Source):
        raise UserError(
            "source must be a simclr_tf.data.Source or a tf.data.Dataset, got a "
            f"{type(source).__name__}."
        )
    elif source.num_classes is not None and not recipe.labels:
        raise UserError(
            f"labels=False, and {source} has labels: make it without, as "
            "data.load(…, labels=False) does."
        )
    else:
        in_form(source, recipe.form)
    return dataclasses.replace(recipe, dataset=given_spec(source)), source


def require_trained_here(run: RunFolder) -> None:
    """Raises UserError where a run folder holds converted weights, and no training."""
    source = run.converted_from()
    if source is not None:
        raise UserError(
            f"{run.path} holds weights converted from {source}, and no training: start "
            f"from them with --init={run.path} and another folder with --run."
        )


def _say_what_is_the_runs(
    chosen: ResolvedRecipe,
    settings: ResolvedRecipe,
    run: RunFolder,
    say: Callable[[str], None],
) -> None:
    """Tells of settings that would be chosen otherwise for a run that begins now."""
    now = dataclasses.asdict(chosen)
    differing = [
        f"{name} {value}"
        for name, value in dataclasses.asdict(settings).items()
        if value != now[name]
    ]
    if differing:
        say(
            f"Settings that you do not say are those that the run in {run.path} began "
            f"with: {', '.join(differing)}."
        )
