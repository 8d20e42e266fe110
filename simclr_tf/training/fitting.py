"""Whether settings of a run fit each other, whatever it trains."""

from __future__ import annotations

from typing import Any

from simclr_tf.encoder.registry import capabilities_of, require_rematerializable
from simclr_tf.errors import UserError
from simclr_tf.image_size import height_and_width, image_size_text


def require_parts_of_wholes(settings: Any) -> None:
    """Raises UserError where warm-up or micro-batches are more than they are part of.

    Args:
      settings: complete settings of a run.
    """
    if settings.warmup_epochs > settings.epochs:
        raise UserError(
            f"warmup_epochs must be at most epochs, {settings.epochs}, got "
            f"{settings.warmup_epochs:g}."
        )
    if settings.batch_size % settings.micro_batches:
        raise UserError(
            f"batch_size {settings.batch_size} must be a multiple of micro_batches, "
            f"got {settings.micro_batches}."
        )


def require_fit_for_encoder(settings: Any) -> None:
    """Raises UserError where the encoder cannot do what the settings ask of it.

    Args:
      settings: complete settings of a run.
    """
    if settings.rematerialize:
        require_rematerializable(settings.encoder)
    multiple = capabilities_of(settings.encoder).size_multiple
    if any(side % multiple for side in height_and_width(settings.image_size)):
        raise UserError(
            f"image_size must be a multiple of {multiple} for {settings.encoder}, got "
            f"{image_size_text(settings.image_size)}."
        )
