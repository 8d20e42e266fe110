"""Encoders by name."""

from __future__ import annotations

import difflib
import importlib
import re

import tensorflow as tf

from simclr_tf.encoder.keras_applications import (
    applications,
    make_application,
    wrap_model,
)
from simclr_tf.encoder.resnet import DEPTHS, ResNet
from simclr_tf.errors import UserError

_SMALL_SIDE = 32
_SK_RATIO = 0.0625  # SimCLR v2, section 2.
_RESNET = re.compile(
    r"resnet(?P<depth>\d+)(x(?P<width>\d+(\.\d+)?))?(?P<sk>-sk)?", re.ASCII
)


def make_encoder(
    name: str | tf.keras.Model,
    *,
    image_size: int | None = None,
    cifar_stem: bool | None = None,
    rematerialize: bool = False,
    image_range: tuple[float, float] | None = None,
) -> tf.keras.Model:
    """An encoder by name, with new weights, or from a Keras model, with its weights.

    Args:
      name: "resnet50", with a width as in "resnet50x2" or "resnet18x0.25", with
        selective kernels as in "resnet152x3-sk"; a `tf.keras.applications`
        model such as "EfficientNetB0"; or "package.module:function", a function of
        your own, called with `image_size=`, that returns a new encoder. Or a Keras
        model, such as one of `tf.keras.applications` with pretrained weights.
      image_size: side of the images it will see, in pixels; needed with a name.
      cifar_stem: of `ResNet`; by default where images have 32 pixels or less.
      rematerialize: of `ResNet`.
      image_range: of a Keras model, the values of black and white that it expects,
        such as (0, 255); known for those of `tf.keras.applications`.

    Returns:
      A Keras model from floating-point images `[B, H, W, 3]` in [0, 1] to
      features `[B, D]`.

    Raises:
      UserError: where the name is unknown; it names the nearest ones. Where
        `rematerialize` is asked of another model than a ResNet, or a Keras model's
        range of images is unknown.
    """
    if isinstance(name, tf.keras.Model):
        return wrap_model(name, image_range)
    if image_range is not None:
        raise UserError("image_range is for a Keras model, not for a name.")
    if image_size is None:
        raise UserError(f"encoder {name!r} needs image_size, the side in pixels.")
    if is_function(name):
        if rematerialize:
            require_rematerializable(name)
        return _from_function(name, image_size)
    match = _RESNET.fullmatch(name)
    if match and int(match["depth"]) in DEPTHS:
        if cifar_stem is None:
            cifar_stem = image_size <= _SMALL_SIDE
        width = float(match["width"] or 1)
        return ResNet(
            int(match["depth"]),
            width_multiplier=int(width) if width.is_integer() else width,
            sk_ratio=_SK_RATIO if match["sk"] else 0.0,
            cifar_stem=cifar_stem,
            rematerialize=rematerialize,
            name="encoder",
        )
    if name in applications():
        if rematerialize:
            require_rematerializable(name)
        return make_application(name, image_size)
    known = [f"resnet{depth}" for depth in DEPTHS] + list(applications())
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    raise UserError(
        f"encoder {name!r} is unknown. Use resnet followed by one of {DEPTHS}, with "
        "a width as in resnet18x0.25 and selective kernels as in resnet50-sk, the name "
        "of a tf.keras.applications model, or package.module:function of your "
        f"own.{hint}"
    )


def is_resnet(name: str) -> bool:
    """Whether an encoder's name asks for a `ResNet`."""
    return name.startswith("resnet") and not is_function(name)


def is_function(name: str) -> bool:
    """Whether an encoder's name is that of a function, "package.module:function"."""
    return ":" in name


def takes_any_size(name: str) -> bool:
    """Whether an encoder of this name may take images of several sizes in one run.

    Of a function's encoder that is for its author to know.
    """
    return is_resnet(name) or is_function(name)


def require_rematerializable(name: str) -> None:
    """Raises UserError where `make_encoder` cannot rematerialize."""
    if not is_resnet(name):
        raise UserError(
            f"rematerialize is for resnets, and the encoder is {name}: leave it "
            "out, or save memory with micro_batches."
        )


def _from_function(name: str, image_size: int) -> tf.keras.Model:
    """What the function that `name` names returns."""
    place, _, attribute = name.partition(":")
    try:
        function = getattr(importlib.import_module(place), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(
            f"encoder {name!r} cannot be imported: {error}. It is to be "
            "package.module:function, found from the folders in PYTHONPATH."
        ) from error
    encoder = function(image_size=image_size)
    if not isinstance(encoder, tf.keras.layers.Layer):
        raise UserError(
            f"encoder {name!r} must return a Keras model, got {type(encoder).__name__}."
        )
    return encoder
