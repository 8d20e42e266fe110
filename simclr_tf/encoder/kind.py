"""What the package knows of an encoder before it is made."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import tensorflow as tf

_Function = TypeVar("_Function", bound=Callable)


@dataclasses.dataclass(frozen=True)
class Capabilities:
    r"""What an encoder can do.

    As a decorator it says so of a function of your own that makes an encoder:

        @simclr_tf.encoder.Capabilities(no_decay=(r"\bposition\b",))
        def encoder(image_size):
            ...

    Attributes:
      takes_any_size: whether one run may show it images of several sizes; None where
        that is unknown, and a run does so only if it is told to.
      can_rematerialize: whether it can be made with `rematerialize=True`.
      size_multiple: the sides of images in pixels must be multiples of this.
      no_decay: regular expressions; a variable whose name matches one gets no weight
        decay and no layer adaptation. Batch and layer norm and biases never do.
    """

    takes_any_size: bool | None = None
    can_rematerialize: bool = False
    size_multiple: int = 1
    no_decay: tuple[str, ...] = ()

    def __call__(self, function: _Function) -> _Function:
        """The function, which now has these capabilities."""
        function.capabilities = self  # type: ignore[attr-defined]
        return function


class NamedEncoder(NamedTuple):
    """An encoder that a name stands for.

    Attributes:
      make: makes one with new weights, given `(image_size, channels=int,
        rematerialize=bool, cifar_stem=bool or None)`.
      capabilities: what it can do.
    """

    make: Callable[..., tf.keras.Model]
    capabilities: Capabilities


class EncoderKind(NamedTuple):
    """Encoders whose names are written alike.

    Attributes:
      notation: how their names are written, for messages.
      names: names to suggest where a name is unknown.
      read: what a name stands for, or None where it is not of this kind.
    """

    notation: str
    names: Callable[[], Sequence[str]]
    read: Callable[[str], NamedEncoder | None]
