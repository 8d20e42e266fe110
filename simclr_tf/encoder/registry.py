"""Encoders by name."""

from __future__ import annotations

import difflib
import importlib
import re
import sys

import tensorflow as tf

from simclr_tf.encoder.resnet import DEPTHS, ResNet
from simclr_tf.errors import UserError

_SMALL_SIDE = 32
_SK_RATIO = 0.0625  # SimCLR v2, section 2.
_RESNET = re.compile(
    r"resnet(?P<depth>\d+)(x(?P<width>\d+(\.\d+)?))?(?P<sk>-sk)?", re.ASCII
)


def make_encoder(
    name: str,
    *,
    image_size: int,
    cifar_stem: bool | None = None,
    rematerialize: bool = False,
) -> tf.keras.Model:
    """An encoder with new weights.

    Args:
      name: "resnet50", with a width as in "resnet50x2" or "resnet18x0.25", with
        selective kernels as in "resnet152x3-sk"; a `tf.keras.applications`
        model such as "EfficientNetB0"; or "package.module:function", a function of
        your own, called with `image_size=`, that returns a new encoder.
      image_size: side of the images it will see, in pixels.
      cifar_stem: of `ResNet`; by default where images have 32 pixels or less.
      rematerialize: of `ResNet`.

    Returns:
      A Keras model from floating-point images `[B, H, W, 3]` in [0, 1] to
      features `[B, D]`.

    Raises:
      ValueError: where the name is unknown; it names the nearest ones. Or where
        `rematerialize` is asked of another model than a ResNet.
    """
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
    applications = _applications()
    if name in applications:
        if rematerialize:
            require_rematerializable(name)
        return _application(applications[name], name, image_size)
    known = [f"resnet{depth}" for depth in DEPTHS] + list(applications)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    raise ValueError(
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
    """Raises ValueError where `make_encoder` cannot rematerialize."""
    if not is_resnet(name):
        raise ValueError(
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


def _applications() -> dict[str, type]:
    """The models of tf.keras.applications by name."""
    module = tf.keras.applications
    return {
        name: getattr(module, name)
        for name in dir(module)
        if name[0].isupper() and callable(getattr(module, name))
    }


def _application(make: type, name: str, image_size: int) -> tf.keras.Model:
    """A `tf.keras.applications` model that takes images in [0, 1]."""
    shape = (image_size, image_size, 3)
    images = tf.keras.Input(shape)
    scaled = _Rescaled(name)(images)
    try:
        body = make(include_top=False, weights=None, pooling="avg", input_shape=shape)
    except ValueError as error:
        raise ValueError(
            f"encoder {name!r} does not take images of {image_size} px: {error}"
        ) from error
    return tf.keras.Model(images, body(scaled), name="encoder")


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class _Rescaled(tf.keras.layers.Layer):
    """Images in [0, 1] to the range that a model of tf.keras.applications takes."""

    def __init__(self, application: str, **kwargs) -> None:
        super().__init__(**kwargs)
        self.application = application
        # Each model's module says what range its images have.
        module = sys.modules[_applications()[application].__module__]
        self.preprocess = module.preprocess_input

    def call(self, images: tf.Tensor) -> tf.Tensor:
        return self.preprocess(images * 255.0)

    def get_config(self) -> dict:
        return {**super().get_config(), "application": self.application}
