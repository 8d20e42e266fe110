"""Views as a string: layers by name, in their order."""

from __future__ import annotations

import re
from collections.abc import Callable

from simclr_tf.augmentation.base import StatelessAugmentation
from simclr_tf.augmentation.random_color_jitter import RandomColorJitter
from simclr_tf.augmentation.random_flip import (
    RandomHorizontalFlip,
    RandomVerticalFlip,
)
from simclr_tf.augmentation.random_gaussian_blur import RandomGaussianBlur
from simclr_tf.augmentation.random_grayscale import RandomGrayscale
from simclr_tf.augmentation.random_quarter_turn import RandomQuarterTurn
from simclr_tf.augmentation.random_resized_crop import RandomResizedCrop
from simclr_tf.augmentation.random_solarize import RandomSolarize
from simclr_tf.dotted_names import import_class, is_dotted
from simclr_tf.errors import UserError
from simclr_tf.image_size import ImageSize, height_and_width, image_size_text
from simclr_tf.suggestions import did_you_mean


def _crop(size: ImageSize, least: float = 0.08, most: float = 1.0) -> RandomResizedCrop:
    return RandomResizedCrop(*height_and_width(size), area=(least, most))


def _turn(size: ImageSize, *probability: float) -> RandomQuarterTurn:
    if not isinstance(size, int):
        raise UserError(
            "quarter turns are for square views, and these are "
            f"{image_size_text(size)}."
        )
    return RandomQuarterTurn(*probability)


def _jitter(
    size: ImageSize, strength: float = 1.0, probability: float = 0.8
) -> RandomColorJitter:
    return RandomColorJitter(strength, probability=probability)


def _blur(size: ImageSize, probability: float = 0.5) -> RandomGaussianBlur:
    return RandomGaussianBlur(probability=probability)


# From the size of the views and the numbers in brackets to a layer.
_LAYERS: dict[str, Callable[..., StatelessAugmentation]] = {
    "crop": _crop,  # least and greatest area
    "flip": lambda size, *p: RandomHorizontalFlip(*p),  # probability
    "jitter": _jitter,  # strength, probability
    "gray": lambda size, *p: RandomGrayscale(*p),  # probability
    "blur": _blur,  # probability
    "solarize": lambda size, *p: RandomSolarize(*p),  # probability, threshold
    "turn": _turn,  # probability
    "vflip": lambda size, *p: RandomVerticalFlip(*p),  # probability
}


def parse_views(
    views: str, image_size: ImageSize, channels: int = 3
) -> list[StatelessAugmentation]:
    """The layers of a string such as "crop(0.08)|flip|jitter(0.5)|gray(0.2)".

    Each name may be followed by numbers in brackets: `crop(least area, greatest
    area)`, `flip(probability)`, `jitter(strength, probability)`, `gray(probability)`,
    `blur(probability)`, `solarize(probability, threshold)`, `turn(probability)`, by
    quarters, `vflip(probability)`, top to bottom; those left out are the layers' own.
    A layer of your own is `package.module:Class(numbers)`, a `StatelessAugmentation`
    that is made of the numbers, in their order.

    Args:
      views: begins with crop; a name may come twice.
      image_size: side of the views in pixels, or height and width.
      channels: of the images.

    Raises:
      UserError: where it cannot be read, a name is unknown, a number is out of its
        range, or a layer is for images of other channels or for square views.
    """
    parts = [part.strip() for part in views.split("|")]
    layers = [_layer(part, image_size) for part in parts]
    if not isinstance(layers[0], RandomResizedCrop):
        raise UserError(
            f"views must begin with crop, which gives them a size, got {parts[0]!r}."
        )
    if any(isinstance(layer, RandomResizedCrop) for layer in layers[1:]):
        raise UserError(f"views may hold one crop, the first, got {views!r}.")
    if channels not in (1, 3) and any(isinstance(e, RandomGrayscale) for e in layers):
        raise UserError(
            f"views: gray is for RGB images, and these have {channels} channels: leave "
            f"it out of {views!r}."
        )
    return layers


def _layer(part: str, image_size: ImageSize) -> StatelessAugmentation:
    found = re.fullmatch(r"([\w.:]+)(?:\(([^()]*)\))?", part)
    if not found or not (found[1] in _LAYERS or is_dotted(found[1])):
        raise UserError(
            f"views must be layers of {', '.join(_LAYERS)}, or package.module:Class of "
            'your own, with | between them, such as "crop(0.08)|flip|jitter(0.5)", got '
            f"{part!r}.{_meant(part)}"
        )
    make = _own_layer(found[1]) if is_dotted(found[1]) else _LAYERS[found[1]]
    numbers = found[2].split(",") if found[2] else []
    try:
        return make(image_size, *map(float, numbers))
    except UserError as error:
        raise UserError(f"views: {part!r}: {error}") from None
    except (TypeError, ValueError):
        raise UserError(
            f"views: {part!r} must hold numbers, and as many as {found[1]} takes."
        ) from None


def _meant(part: str) -> str:
    """What an unknown layer may have been meant to be."""
    parts = re.split(r"[,;+\s]+(?![^(]*\))", part)
    if len(parts) > 1:
        return f' Did you mean "{"|".join(parts)}"?'
    name, bracket, numbers = part.partition("(")
    return did_you_mean(name, _LAYERS, form="{}" + bracket + numbers)


def _own_layer(name: str) -> Callable[..., StatelessAugmentation]:
    kind: type = import_class("views", name, StatelessAugmentation)
    return lambda size, *numbers: kind(*numbers)
