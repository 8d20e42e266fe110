"""Models of tf.keras.applications, each of which expects images in a range of its own.

SimCLR gives its encoder images in [0, 1]. A layer in front turns them into what the
model was made for.
"""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from simclr_tf.encoder.kind import Capabilities, EncoderKind, NamedEncoder
from simclr_tf.errors import UserError
from simclr_tf.image_size import ImageSize, height_and_width, image_size_text

# A layer that no other kind of model has, for the kinds that do not bring their own
# Rescaling or Normalization, and one model of the kind.
_DISTINCTIVE = {
    "conv2_block1_concat": "DenseNet121",
    "mixed10": "InceptionV3",
    "conv_7b": "InceptionResNetV2",
    "conv_pw_13": "MobileNet",
    "expanded_conv_depthwise": "MobileNetV2",
    "stem_bn1": "NASNetMobile",
    "conv2_block1_preact_bn": "ResNet50V2",
    "conv2_block1_1_conv": "ResNet50",
    "block5_conv3": "VGG16",
    "block14_sepconv2": "Xception",
}
# Images whose greatest value is 255 come to 1 or 2 by a factor of at most 2 / 255.
_FACTOR_OF_PIXELS = 0.02


def applications() -> dict[str, type]:
    """The models of tf.keras.applications by name."""
    module = tf.keras.applications
    return {
        name: getattr(module, name)
        for name in dir(module)
        if name[0].isupper() and callable(getattr(module, name))
    }


def make_application(
    name: str,
    image_size: ImageSize,
    channels: int = 3,
    *,
    weights: str | None = None,
) -> tf.keras.Model:
    """A `tf.keras.applications` model that takes images in [0, 1].

    Args:
      name: of the model.
      image_size: side of the images in pixels, or height and width.
      channels: of the images.
      weights: "imagenet" for those that Keras downloads, or finds in its cache; None
        for new ones.

    Raises:
      UserError: where it does not take images of this size, or of these channels, or
        the weights cannot be had.
    """
    shape = (*height_and_width(image_size), channels)
    try:
        with warnings.catch_warnings():
            # Keras expects RGB or grey images of whoever wants no trained weights too.
            warnings.filterwarnings("ignore", "This model usually expects", UserWarning)
            body = applications()[name](
                include_top=False, weights=weights, pooling="avg", input_shape=shape
            )
    except ValueError as error:
        raise UserError(
            f"encoder {name!r} does not take images of {image_size_text(image_size)} "
            f"px: {error}"
        ) from error
    # Keras raises an Exception of no class where it cannot download.
    except Exception as error:
        if weights is None:
            raise
        raise UserError(
            f"The {weights} weights of {name} cannot be downloaded: {error}. Run it "
            "once where there is a network, and copy ~/.keras/models from there."
        ) from error
    if channels == 3:
        return _behind(_Rescaled(name), body)
    try:
        return _behind(_Rescaled(name), body)
    except (ValueError, tf.errors.InvalidArgumentError) as error:
        raise UserError(
            f"encoder {name!r} is made for RGB images, from which it takes a mean of "
            f"each colour, and these have {channels} channels: choose a resnet, a "
            "vision transformer or EfficientNet."
        ) from error


def wrap_model(
    model: tf.keras.Model, image_range: tuple[float, float] | None = None
) -> tf.keras.Model:
    """A Keras model behind a layer that turns images in [0, 1] into its range.

    The weights are those of the model, pretrained or not.

    Args:
      model: from images `[B, H, W, 3]` to `[B, D]` or `[B, h, w, D]`.
      image_range: what the model expects black and white to be, such as (0, 255) or
        (-1, 1). Where None, a model of `tf.keras.applications` is given what its own
        `preprocess_input` makes.

    Raises:
      UserError: where `image_range` is None and the model's range is unknown.
    """
    if image_range is not None:
        black, white = map(float, image_range)
        if not white > black:
            raise UserError(
                f"image_range must be the values of black and white, got {image_range}."
            )
        return _behind(tf.keras.layers.Rescaling(white - black, black), model)
    name = application_at_start(model)
    if name is None:
        raise UserError(
            f"The range of images that {model.name} expects is unknown: pass "
            "image_range=(0, 1), (0, 255) or (-1, 1)."
        )
    return _behind(_Rescaled(name), model)


def application_of(model: tf.keras.layers.Layer) -> str | None:
    """The tf.keras.applications model that a model is, or one of its kind, or None.

    A model that rescales pixels itself counts as "EfficientNetB0", which does.
    """
    if not isinstance(model, tf.keras.Model):
        return None
    first = list(_first_layers(model))
    if any(map(_scales_pixels, first)):
        return "EfficientNetB0"
    if first and isinstance(first[0], tf.keras.layers.Rescaling):
        return None  # Its own scaling of [0, 1].
    names = [layer.name for layer in model.layers]
    found = [name for layer, name in _DISTINCTIVE.items() if layer in names]
    return found[0] if found else None


def application_at_start(model: tf.keras.layers.Layer) -> str | None:
    """`application_of` a model, or of the model that sees its images first."""
    found = map(application_of, [model, *_first_layers(model)])
    return next(filter(None, found), None)


def made_application(encoder: tf.keras.Model) -> str | None:
    """The name that `make_application` made an encoder by; None of another one."""
    scaling = (each for each in encoder.layers if isinstance(each, _Rescaled))
    return next((each.application for each in scaling), None)


def _scales_pixels(layer: tf.keras.layers.Layer) -> bool:
    """Whether a layer brings pixels in 0..255 to about 1."""
    if isinstance(layer, tf.keras.layers.Rescaling):
        return float(np.max(layer.scale)) < _FACTOR_OF_PIXELS
    if isinstance(layer, tf.keras.layers.Normalization):
        mean = layer.input_mean
        return mean is not None and float(np.max(mean)) > 1.5
    return False


def require_unit_range(encoder: tf.keras.layers.Layer) -> None:
    """Raises UserError where an encoder would be fed [0, 1] and expects another range.

    That is a model of `tf.keras.applications`, or one that begins with one or with a
    `Rescaling` of pixels.
    """
    if application_at_start(encoder) is not None:
        raise UserError(
            f"SimCLR gives its encoder images in [0, 1], and {encoder.name} expects "
            "another range, as models of tf.keras.applications do: give "
            "SimCLR(simclr_tf.make_encoder(model), ...) instead, which puts the "
            "right scaling in front of it."
        )


def _first_layers(model: tf.keras.layers.Layer) -> Iterator[tf.keras.layers.Layer]:
    """The layer that sees a model's images first, and those that it begins with."""
    try:
        layers = model.layers
    except AttributeError:
        return
    for layer in layers:
        if isinstance(layer, tf.keras.layers.InputLayer):
            continue
        yield layer
        yield from _first_layers(layer)
        return


def _behind(scaling: tf.keras.layers.Layer, body: tf.keras.Model) -> tf.keras.Model:
    try:
        shape = body.input_shape[1:]
    except (AttributeError, RuntimeError):  # A Sequential that saw no image yet.
        shape = (None, None, 3)
    images = tf.keras.Input(shape)
    return tf.keras.Model(images, body(scaling(images)), name="encoder")


@tf.keras.utils.register_keras_serializable(package="simclr_tf")
class _Rescaled(tf.keras.layers.Layer):
    """Images in [0, 1] to the range that a model of tf.keras.applications takes."""

    def __init__(self, application: str, **kwargs) -> None:
        super().__init__(**kwargs)
        self.application = application
        # Each model's module says what range its images have.
        module = sys.modules[applications()[application].__module__]
        self.preprocess = module.preprocess_input

    def call(self, images: tf.Tensor) -> tf.Tensor:
        return self.preprocess(images * 255.0)

    def get_config(self) -> dict:
        return {**super().get_config(), "application": self.application}


# Saved files know the layer by its class's name.
Rescaled = _Rescaled


def _make(
    name: str,
    image_size: ImageSize,
    *,
    channels: int,
    rematerialize: bool,
    cifar_stem: bool | None,
) -> tf.keras.Model:
    del rematerialize, cifar_stem  # Of encoders that can.
    return make_application(name, image_size, channels)


def _read(name: str) -> NamedEncoder | None:
    if name not in applications():
        return None
    make = functools.partial(_make, name)
    return NamedEncoder(make, Capabilities(takes_any_size=False))


APPLICATION = EncoderKind(
    "the name of a tf.keras.applications model",
    names=lambda: list(applications()),
    read=_read,
)
