"""What a run says when it begins."""

from __future__ import annotations

from collections.abc import Callable

from simclr_tf.data import PretrainingData
from simclr_tf.image_size import image_size_text, shorter_side
from simclr_tf.model import Learner
from simclr_tf.training import defaults
from simclr_tf.training.begin import Begun
from simclr_tf.training.recipe import Recipe, ResolvedRecipe

# Settings of a column of `defaults` that a person is told of by name.
_TOLD = ("encoder", "optimizer", "learning_rate", "temperature", "weight_decay")


def announce(
    said: Recipe,
    recipe: ResolvedRecipe,
    data: PretrainingData,
    model: Learner,
    begun: Begun,
    *,
    fast_bfloat16: bool,
    say: Callable[[str], None],
) -> None:
    """Says what is trained, on what, and how, and what was chosen of it.

    Args:
      said: settings as the user says them.
      recipe: all settings.
      data: images.
      model: that learns.
      begun: the steps done before, and which steps make which epoch.
      fast_bfloat16: whether this machine has instructions for it.
      say: called with the lines.
    """
    method = ", ".join(filter(None, [recipe.method, model.method.summary]))
    views = f"views of {image_size_text(recipe.image_size)} px"
    if recipe.early_epochs:
        early = image_size_text(recipe.view_size(0))
        views += f" (first {recipe.early_epochs} epochs {early} px)"
    epochs = " + ".join(map(str, [recipe.epochs, *recipe.extensions]))
    if recipe.extensions:
        epochs += " epochs, the learning rate rises and falls again over those added,"
    else:
        epochs += " epochs"
    lines = [
        f"Data: {data.train}",
        *([data.note] if data.note else []),
        f"Encoder: {recipe.encoder}, {model.encoder.count_params():,} parameters, "
        f"{recipe.precision}, {views}",
        f"Training: {epochs} of {begun.calendar.steps_per_epoch:,} steps of "
        f"{recipe.batch_size:,} images, {recipe.optimizer}, learning rate "
        f"{recipe.learning_rate:g} ({recipe.learning_rate_scaling})",
        f"Method: {method}; views {recipe.views}",
        *on_colours(recipe),
    ]
    if begun.step:
        lines.append(f"Resuming after step {begun.step:,}.")
    else:
        lines += choices(said, recipe, len(data.train))
    say("\n".join(lines))
    if recipe.precision == "bfloat16" and not begun.step and not fast_bfloat16:
        say(
            "This machine shows no instructions for bfloat16; where it imitates "
            "them, --precision=float32 is several times as fast."
        )


def choices(said: Recipe, recipe: ResolvedRecipe, images: int) -> list[str]:
    """What was chosen because the user did not say it, and why; three lines at most.

    Args:
      said: settings as the user says them.
      recipe: all settings.
      images: to learn from.
    """
    side = shorter_side(recipe.image_size)
    column = defaults.settings_for(images, side)
    told = [name for name in _TOLD if getattr(said, name) is None]
    if {said.views, said.color_strength, said.blur, said.crop_min_area} == {None}:
        told.append("views")
    lines = []
    if told:
        values = ", ".join(f"{name} {getattr(recipe, name)}" for name in told)
        lines.append(f"{values}: {_why(column, images, side)}")
    steps = max(images // recipe.batch_size, 1)
    if said.batch_size is None:
        left_out = images - steps * recipe.batch_size
        lines.append(
            f"batch_size {recipe.batch_size}, at most an eighth of {images:,} images: "
            f"an epoch has {steps:,} steps and leaves out {left_out:,} images"
        )
    if said.epochs is None:
        why = "the least that is trained for"
        if recipe.epochs > defaults.LEAST_EPOCHS:
            why = f"so that {defaults.LEAST_STEPS:,} steps or more are taken"
        lines.append(f"epochs {recipe.epochs}, {steps * recipe.epochs:,} steps: {why}")
    return [f"Chosen: {line}" for line in lines]


def _why(column: defaults.Settings, images: int, size: int) -> str:
    """What a column of defaults rests on, and why it is this one."""
    if size <= defaults.SMALL:
        return f"for views up to {defaults.SMALL} px, as in {column.source}"
    many = f"{defaults.ENOUGH_FOR_PAPER:,} images"
    if images >= defaults.ENOUGH_FOR_PAPER:
        return f"for {many} and more, as in {column.source}"
    return f"for fewer than {many}, as in {column.source}"


def on_colours(recipe: ResolvedRecipe) -> list[str]:
    """What becomes of operations on colours where images are not RGB."""
    if recipe.channels == 3 or "jitter" not in recipe.views:
        return []
    kind = "1 channel" if recipe.channels == 1 else f"{recipe.channels} channels"
    return [
        f"Images of {kind}: jitter changes brightness and contrast of each channel; "
        "there is no hue, no saturation and no greyscale."
    ]
