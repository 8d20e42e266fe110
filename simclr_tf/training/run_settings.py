"""The images of a run, and all its settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from simclr_tf.data import PretrainingData, Source, load_for_pretraining, sample
from simclr_tf.distribution.crew import Crew
from simclr_tf.errors import UserError
from simclr_tf.methods import method_class
from simclr_tf.training import defaults
from simclr_tf.training.recipe import Recipe, ResolvedRecipe
from simclr_tf.training.run_folder import RunFolder

# Images whose sizes stand for those of all.
_SAMPLE = 64


def load_and_resolve(
    recipe: Recipe,
    run: RunFolder,
    strategy: tf.distribute.Strategy,
    crew: Crew,
    *,
    fast_bfloat16: bool,
    say: Callable[[str], None],
) -> tuple[PretrainingData, ResolvedRecipe]:
    """The images, and the settings with all defaults that follow from them.

    What is left open of a run that has begun is as the run has it.

    Args:
      recipe: settings as the user says them.
      run: where they are trained.
      strategy: the devices.
      crew: the workers.
      fast_bfloat16: whether this machine is fast in it.
      say: called with a line on settings that are the run's.

    Raises:
      UserError: for a mistake in the settings or the data.
    """
    recipe.resolve()  # Mistakes are told before a large folder is read.
    data = load_images(recipe)
    native = native_side(data.train)

    def resolve(recipe: Recipe) -> ResolvedRecipe:
        return recipe.resolve(
            native,
            images=len(data.train),
            replicas=strategy.num_replicas_in_sync,
            # Hosts know themselves alone, and must come to one default.
            fast_bfloat16=crew.count == 1 and fast_bfloat16,
        )

    settings = resolve(recipe)
    if run.is_run():
        chosen, settings = settings, resolve(recipe.completed_by(run.recipe()))
        _say_what_is_the_runs(chosen, settings, run, say)
    elif recipe.batch_size is None:
        defaults.require_enough_images(len(data.train), recipe.dataset)
    if recipe.image_size is None and has_many_sizes(data.train):
        # They are read as large as their views need them.
        data = load_images(dataclasses.replace(recipe, image_size=settings.image_size))
    kind = method_class(settings.method)
    if kind.learns_from_labels and data.train.num_classes is None:
        raise UserError(
            f"--method={settings.method} learns from labels, and {data.train} has none."
        )
    return data, settings


def load_images(recipe: Recipe) -> PretrainingData:
    """The images that a recipe names."""
    return load_for_pretraining(
        recipe.dataset,
        recipe.test_dataset,
        recipe.eval_dataset,
        image_size=recipe.image_size,
        labels=recipe.labels,
        pretrain_on_all=recipe.pretrain_on_all,
    )


def native_side(source: Source) -> int:
    """The shorter side of a source's images in pixels; of many sizes about the median.

    It is a multiple of 8 where they differ.
    """
    if not has_many_sizes(source):
        return min(source.image_shape[:2])
    sides = np.min(sample(source, _SAMPLE)["size"], axis=1)
    median = int(np.median(sides))
    return median if (sides == median).all() else max(median - median % 8, 8)


def has_many_sizes(source: Source) -> bool:
    """Whether the images of a source are not all of `image_shape`."""
    return "size" in source.read(tf.data.Dataset.range(1).batch(1)).element_spec


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
