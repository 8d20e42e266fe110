"""What a run says when it begins."""

from __future__ import annotations

from collections.abc import Callable

from simclr_tf.data import PretrainingData
from simclr_tf.model import Learner
from simclr_tf.training.calendar import Calendar
from simclr_tf.training.recipe import ResolvedRecipe


def announce(
    recipe: ResolvedRecipe,
    data: PretrainingData,
    model: Learner,
    step: int,
    calendar: Calendar,
    *,
    fast_bfloat16: bool,
    say: Callable[[str], None],
) -> None:
    """Says what is trained, on what, and how.

    Args:
      recipe: all settings.
      data: images.
      model: that learns.
      step: steps done before.
      calendar: which steps make which epoch.
      fast_bfloat16: whether this machine has instructions for it.
      say: called with the lines.
    """
    method = ", ".join(filter(None, [recipe.method, model.method.summary]))
    views = f"views of {recipe.image_size} px"
    if recipe.early_epochs:
        views += f" (first {recipe.early_epochs} epochs {recipe.early_view_size} px)"
    lines = [
        f"Data: {data.train}",
        *([data.note] if data.note else []),
        f"Encoder: {recipe.encoder}, {model.encoder.count_params():,} parameters, "
        f"{recipe.precision}, {views}",
        f"Training: {recipe.epochs} epochs of {calendar.steps_per_epoch:,} steps of "
        f"{recipe.batch_size:,} images, {recipe.optimizer}, learning rate "
        f"{recipe.learning_rate:g} ({recipe.learning_rate_scaling})",
        f"Method: {method}; views {recipe.views}",
    ]
    if step:
        lines.append(f"Resuming after step {step:,}.")
    say("\n".join(lines))
    if recipe.precision == "bfloat16" and not step and not fast_bfloat16:
        say(
            "This machine shows no instructions for bfloat16; where it imitates "
            "them, --precision=float32 is several times as fast."
        )
