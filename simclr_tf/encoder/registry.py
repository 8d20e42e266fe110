"""Encoders by name. A new kind is a file, and a line in `_KINDS`."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from simclr_tf.dotted_names import import_dotted, is_dotted
from simclr_tf.encoder.keras_applications import APPLICATION, wrap_model
from simclr_tf.encoder.kind import Capabilities, EncoderKind, NamedEncoder
from simclr_tf.encoder.resnet import RESNET
from simclr_tf.encoder.vit import VIT
from simclr_tf.errors import UserError
from simclr_tf.image_size import ImageSize, parse_image_size
from simclr_tf.suggestions import did_you_mean


def make_encoder(
    name: str | tf.keras.Model,
    *,
    image_size: ImageSize | None = None,
    channels: int = 3,
    cifar_stem: bool | None = None,
    rematerialize: bool = False,
    image_range: tuple[float, float] | None = None,
) -> tf.keras.Model:
    """An encoder by name, with new weights, or from a Keras model, with its weights.

    Args:
      name: "resnet50", with a width as in "resnet50x2" or "resnet18x0.25", with
        selective kernels as in "resnet152x3-sk"; a vision transformer, "vit_tiny16",
        "vit_small16" or "vit_base16", where the number is the side of its patches; a
        `tf.keras.applications` model such as "EfficientNetB0"; or
        "package.module:function", a function of your own, called with `image_size=`,
        that returns a new encoder; see `Capabilities`. Or a Keras model, such as one
        of `tf.keras.applications` with pretrained weights.
      image_size: side of the images it will see in pixels, or height and width; needed
        with a name. A function of your own is given what is given here.
      channels: of the images; what is made for RGB alone refuses others.
      cifar_stem: of `ResNet`; by default where images have 32 pixels or less.
      rematerialize: of `ResNet` and `VisionTransformer`; a function of your own whose
        capabilities say that it can is called with `rematerialize=True`.
      image_range: of a Keras model, the values of black and white that it expects,
        such as (0, 255); known for those of `tf.keras.applications`.

    Returns:
      A Keras model from floating-point images `[B, H, W, C]` in [0, 1] to
      features `[B, D]`.

    Raises:
      UserError: where the name is unknown; it names the nearest ones. Where
        `rematerialize` is asked of an encoder that cannot, or a Keras model's
        range of images is unknown.
    """
    if isinstance(name, tf.keras.Model):
        return wrap_model(name, image_range)
    if image_range is not None:
        raise UserError("image_range is for a Keras model, not for a name.")
    if image_size is None:
        raise UserError(f"encoder {name!r} needs image_size, the side in pixels.")
    named = _find(name)
    if rematerialize:
        require_rematerializable(name)
    return named.make(
        parse_image_size(image_size),
        channels=channels,
        rematerialize=rematerialize,
        cifar_stem=cifar_stem,
    )


def capabilities_of(name: str) -> Capabilities:
    """What an encoder of this name can do.

    Raises:
      UserError: where the name is unknown.
    """
    return _find(name).capabilities


def require_rematerializable(name: str) -> None:
    """Raises UserError where `make_encoder` cannot rematerialize."""
    if not capabilities_of(name).can_rematerialize:
        raise UserError(
            "rematerialize is for resnets, vision transformers and functions that say "
            f"they can, and the encoder is {name}: leave it out, or save memory with "
            "micro_batches."
        )


def _find(name: str) -> NamedEncoder:
    for kind in _KINDS:
        named = kind.read(name)
        if named is not None:
            return named
    known = [each for kind in _KINDS for each in kind.names()]
    notations = [kind.notation for kind in _KINDS]
    raise UserError(
        f"encoder {name!r} is unknown. Use {'; '.join(notations[:-1])}; or "
        f"{notations[-1]}.{did_you_mean(name, known, count=3)}"
    )


def _read_function(name: str) -> NamedEncoder | None:
    """A function of the user's own."""
    if not is_dotted(name):
        return None
    function = import_dotted("encoder", name)

    def make(
        image_size: ImageSize,
        *,
        channels: int,
        rematerialize: bool,
        cifar_stem: bool | None,
    ) -> tf.keras.Model:
        del channels  # Keras' layers learn of them from the first images.
        del cifar_stem  # Of ResNets alone.
        options: dict[str, Any] = {"rematerialize": True} if rematerialize else {}
        encoder = function(image_size=image_size, **options)
        if not isinstance(encoder, tf.keras.layers.Layer):
            raise UserError(
                f"encoder {name!r} must return a Keras model, got "
                f"{type(encoder).__name__}."
            )
        return encoder

    return NamedEncoder(make, getattr(function, "capabilities", Capabilities()))


_FUNCTION = EncoderKind(
    "package.module:function of your own", names=tuple, read=_read_function
)
_KINDS = (RESNET, VIT, APPLICATION, _FUNCTION)
