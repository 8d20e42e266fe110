"""`simclr preview`: a picture of what the augmentation makes of images."""

from __future__ import annotations

import numpy as np
from absl import flags

from simclr_tf.augmentation import SimCLRAugmenter
from simclr_tf.augmentation.layers_alone import LayerAlone, layers_alone
from simclr_tf.augmentation.view_warnings import view_warnings
from simclr_tf.cli import output, recipe_flags
from simclr_tf.cli.command import Work
from simclr_tf.data import Source, load, preview, unaugmented
from simclr_tf.image_size import height_and_width, image_size_text
from simclr_tf.messages import say
from simclr_tf.pictures import channels_drawn, draw_preview, save_figure
from simclr_tf.training import build_augmenter
from simclr_tf.training.announcement import on_colours
from simclr_tf.training.run_images import native_side

# Images whose views are looked at for what is wrong with them, if more than are shown.
_EXAMINED = 32
# A picture of more takes gigabytes to draw, and nobody looks at it.
_MOST_IMAGES, _MOST_COLUMNS = 200, 32
# Images that are shown as each layer alone makes them.
_SHOWN_ALONE = 3
_DESCRIBING = (
    "dataset",
    "image_size",
    "channels",
    "value_range",
    "views",
    "color_strength",
    "blur",
    "crop_min_area",
    "seed",
)


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string("output", "preview.png", "picture to write", flag_values=values)
    flags.DEFINE_integer(
        "images",
        6,
        "how many images to show",
        lower_bound=1,
        upper_bound=_MOST_IMAGES,
        flag_values=values,
    )
    flags.DEFINE_integer(
        "columns",
        8,
        "views of each image",
        lower_bound=1,
        upper_bound=_MOST_COLUMNS,
        flag_values=values,
    )
    recipe_flags.define(values, only=_DESCRIBING)


def _run(values: flags.FlagValues) -> None:
    output.require_writable_file(values.output)
    output.require_ending(values.output, [".png"])
    said = recipe_flags.recipe(values, only=_DESCRIBING)
    source = load(
        said.dataset, "train", image_size=said.loaded_size, labels=False, form=said.form
    )
    channels = source.image_shape[-1]
    recipe = said.resolve(
        native_side(source), images=len(source), native_channels=channels
    )
    augmenter = build_augmenter(recipe)
    epochs = (values.columns + 1) // 2
    count = max(values.images, _EXAMINED)
    images, views = (
        some.numpy()
        for some in preview(source, augmenter, count, seed=recipe.seed, epochs=epochs)
    )
    size, drawn = image_size_text(recipe.image_size), channels_drawn(channels)
    title = ", ".join(
        filter(None, [f"{recipe.dataset}: {size} px", recipe.views, drawn])
    )
    picture = draw_preview(
        images[: values.images],
        views[: values.images, : values.columns],
        _alone(source, augmenter, images[: values.images], recipe.seed),
        title,
    )
    save_figure(picture, values.output)
    for line in [str(source), *on_colours(recipe), *view_warnings(images, views)]:
        say(line)
    if drawn:
        say(f"Drawn: {drawn}.")
    say(f"The picture is {values.output}.")


def _alone(
    source: Source, augmenter: SimCLRAugmenter, images: np.ndarray, seed: int
) -> list[LayerAlone]:
    """What each layer makes of a few of the images shown."""
    height, width = height_and_width(augmenter.image_size)
    # Crops of files have the files' own pixels.
    sides = (2 * height, 2 * width) if source.holds_files else (height, width)
    larger = unaugmented(source, len(images), sides).numpy()
    some = slice(_SHOWN_ALONE)
    return layers_alone(augmenter, images[some], larger[some], seed=seed)


WORK = Work(
    define=_define,
    run=_run,
    example="simclr preview --dataset=folder:photos --image_size=96",
)
