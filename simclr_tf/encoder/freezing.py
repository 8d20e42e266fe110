"""Encoders of which only the last parts learn."""

from __future__ import annotations

import tensorflow as tf

from simclr_tf.errors import UserError

NOTHING, EVERYTHING = -1, 4
_QUARTERS = 4


def freeze_up_to(encoder: tf.keras.Model, block: int) -> None:
    """Freezes an encoder's first parts: weights and moving statistics stay as they are.

    Batch norm in them normalises by its moving statistics, in training too. The other
    parts learn, also where they were frozen before. The numbers are those of the
    published code's `fine_tune_after_block`.

    Args:
      encoder: a built `ResNet` of four groups, a `VisionTransformer`, or, with -1 and 4
        alone, any Keras model.
      block: the last frozen part. -1: nothing is frozen; 0: the stem; 1 to 3: the
        groups of a ResNet up to that one, or the quarters of a transformer's blocks;
        4: all of the encoder.

    Raises:
      UserError: where `block` is out of its range, or the encoder's parts are not
        known.
    """
    if block not in range(NOTHING, EVERYTHING + 1):
        raise UserError(f"fine_tune_after_block must be -1 to 4, got {block}.")
    encoder.trainable = True
    if block == EVERYTHING:
        encoder.trainable = False
    if block in (NOTHING, EVERYTHING):
        return
    parts = _parts(encoder)
    if parts is None:
        raise UserError(
            "fine_tune_after_block must be -1, which trains the whole encoder, or 4, "
            "which trains none of it: the parts between are known of resnets and "
            f"vision transformers, and this is a {type(encoder).__name__}."
        )
    for part in parts[: block + 1]:
        for layer in part:
            layer.trainable = False


def ordered_variables(encoder: tf.keras.Model) -> list[tf.Variable]:
    """An encoder's variables, in the order they have where nothing is frozen.

    Keras has those of a layer that learns before those of one that does not, so that
    two encoders of one architecture differ in `variables` by what is frozen.
    """
    layers = [
        each
        for each in (encoder, *encoder.submodules)
        if isinstance(each, tf.keras.layers.Layer)
    ]
    flags = [layer.trainable for layer in layers]
    encoder.trainable = True
    variables = list(encoder.variables)
    # A layer sets those within it, which come after it.
    for layer, flag in zip(layers, flags):
        layer.trainable = flag
    return variables


def _parts(encoder: tf.keras.Model) -> list[list[tf.keras.layers.Layer]] | None:
    """The stem's layers and those of four parts after it; None where not known."""
    groups, blocks = getattr(encoder, "groups", None), getattr(encoder, "blocks", None)
    if groups is not None and hasattr(encoder, "stem"):  # A `ResNet`.
        return [[encoder.stem], *([group] for group in groups)]
    if hasattr(encoder, "patches") and blocks is not None:  # A `VisionTransformer`.
        ends = [round(len(blocks) * k / _QUARTERS) for k in range(_QUARTERS + 1)]
        quarters = [blocks[i:j] for i, j in zip(ends, ends[1:])]
        return [[encoder.patches, encoder.tokens], *quarters]
    return None
