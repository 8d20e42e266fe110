"""`simclr preview`: a picture of what the augmentation makes of images."""

from __future__ import annotations

from absl import flags

from simclr_tf.cli import output, recipe_flags
from simclr_tf.cli.command import Command
from simclr_tf.data import load, preview
from simclr_tf.image_size import image_size_text
from simclr_tf.messages import say
from simclr_tf.pictures import channels_drawn, draw_views, save_figure
from simclr_tf.training import build_augmenter
from simclr_tf.training.announcement import on_colours
from simclr_tf.training.run_images import native_side

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
        "images", 6, "how many images to show", lower_bound=1, flag_values=values
    )
    flags.DEFINE_integer(
        "columns", 8, "views of each image", lower_bound=1, flag_values=values
    )
    recipe_flags.define(values, only=_DESCRIBING)


def _run(values: flags.FlagValues) -> None:
    output.require_writable_file(values.output)
    said = recipe_flags.recipe(values, only=_DESCRIBING)
    source = load(
        said.dataset, "train", image_size=said.loaded_size, labels=False, form=said.form
    )
    channels = source.image_shape[-1]
    recipe = said.resolve(
        native_side(source), images=len(source), native_channels=channels
    )
    images, views = preview(
        source,
        build_augmenter(recipe),
        values.images,
        seed=recipe.seed,
        epochs=(values.columns + 1) // 2,
    )
    size, drawn = image_size_text(recipe.image_size), channels_drawn(channels)
    title = ", ".join(
        filter(None, [f"{recipe.dataset}: {size} px", recipe.views, drawn])
    )
    views = views[:, : values.columns].numpy()
    picture = draw_views(images.numpy(), views, title)
    with output.replacing(values.output) as aside:
        save_figure(picture, aside)
    for line in [str(source), *on_colours(recipe)]:
        say(line)
    if drawn:
        say(f"Drawn: {drawn}.")
    say(f"The picture is {values.output}.")


PREVIEW = Command(
    name="preview",
    summary="a picture of what the augmentation makes of your images",
    define=_define,
    run=_run,
    example="simclr preview --dataset=folder:photos --image_size=96",
)
