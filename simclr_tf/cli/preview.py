"""`simclr preview`: a picture of what the augmentation makes of images."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from absl import flags

from simclr_tf import randomness
from simclr_tf.augmentation import SimCLRAugmenter, evaluation_view
from simclr_tf.cli import output, recipe_flags
from simclr_tf.cli.command import Command
from simclr_tf.data import load, sample
from simclr_tf.messages import say
from simclr_tf.pictures import draw_views, save_figure
from simclr_tf.training import build_augmenter
from simclr_tf.training.run_images import native_side

_DESCRIBING = (
    "dataset",
    "image_size",
    "views",
    "color_strength",
    "blur",
    "crop_min_area",
    "seed",
)


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string("output", "preview.png", "picture to write", flag_values=values)
    flags.DEFINE_integer(
        "images", 6, "how many images to show", lower_bound=1, flag_values=values
    )
    flags.DEFINE_integer(
        "columns", 8, "views of each image", lower_bound=1, flag_values=values
    )
    recipe_flags.define(values, only=_DESCRIBING)


def _run(values: flags.FlagValues) -> None:
    output.require_writable_file(values.output)
    said = recipe_flags.recipe(values, only=_DESCRIBING)
    source = load(said.dataset, "train", image_size=said.image_size, labels=False)
    recipe = said.resolve(native_side(source), images=len(source))
    batch = sample(source, values.images)
    picture = draw_views(
        evaluation_view(
            batch["image"],
            recipe.image_size,
            sizes=batch.get("size"),
            crop_proportion=1.0,
        ).numpy(),
        _views(build_augmenter(recipe), batch, values.columns, recipe.seed),
        f"{recipe.dataset}: {recipe.image_size} px, {recipe.views}",
    )
    with output.replacing(values.output) as aside:
        save_figure(picture, aside)
    say(f"{source}\nThe picture is {values.output}.")


def _views(
    augmenter: SimCLRAugmenter, batch: dict[str, tf.Tensor], count: int, seed: int
) -> np.ndarray:
    """Views `[N, count, h, w, 3]`, those of the first epochs of a run."""
    pairs = []
    for epoch in range((count + 1) // 2):
        seeds = randomness.example_seeds(seed, epoch, batch["index"])
        pairs.append(
            augmenter.two_views(batch["image"], seeds, sizes=batch.get("size"))
        )
    return tf.concat(pairs, axis=1)[:, :count].numpy()


PREVIEW = Command(
    name="preview",
    summary="a picture of what the augmentation makes of your images",
    define=_define,
    run=_run,
    example="simclr preview --dataset=folder:photos --image_size=96",
)
