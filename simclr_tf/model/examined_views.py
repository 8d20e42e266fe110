"""Finding out, before the first step, what an augmentation of the user's own does.

It is called on noise: whether its two views differ, whether it draws from the seed of a
step or from a state of its own, and in which range its views are.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from simclr_tf import messages
from simclr_tf.augmentation.own_views import OwnViews
from simclr_tf.augmentation.value_range import HIGHEST, LOWEST
from simclr_tf.errors import UserError
from simclr_tf.model.random_layers import drawing_from

_SIDE = 32  # of noise, where images of data have no one size
_IMAGES, _MOST = 8, 64
_SEEDS = ((0, 1), (0, 2), (0, 3), (0, 1))  # The last one again: is it obeyed?
_INTEGERS = (tf.uint8, tf.uint16)
_BRIGHT = 0.1
_LIBRARIES = ("keras", "tf_keras", "keras_cv")

_REPEATS = (
    "Its draws are a function of (seed, step, replica): a run repeats and resumes to "
    "the bit on as many replicas."
)
_OWN_STATE = (
    "It draws from a random state of its own: a run can be neither repeated nor "
    "resumed to the bit."
)


class _Pair(NamedTuple):
    """Two views of a batch of noise, as the augmentation gives them."""

    first: np.ndarray
    second: np.ndarray

    def equals(self, other: _Pair) -> bool:
        return np.array_equal(self.first, other.first) and np.array_equal(
            self.second, other.second
        )


def examine(
    augmenter: OwnViews,
    images: tf.TensorSpec,
    *,
    strategy: tf.distribute.Strategy | None = None,
    eager: bool = False,
    say: Callable[[str], None] | None = None,
) -> None:
    """Calls an augmentation on noise, and says once what a user should know of it.

    It sets `found_ranges` of the augmenter; of a dtype that it knows, nothing is done.

    Args:
      augmenter: of the user's own.
      images: of the data, `[B, H, W, C]`; where a size is unknown, 8 images of
        32 px are taken.
      strategy: whose replicas call it in training; the current one where None.
      eager: whether the model runs eagerly.
      say: called with a line; standard error where None.

    Raises:
      UserError: where its two views are identical, it does not take such a batch, its
        views are not in a range that can be told, or layers were made for another one.
    """
    dtype = images.dtype
    if dtype in augmenter.found_ranges or not (dtype.is_floating or dtype in _INTEGERS):
        return
    first_time = not augmenter.found_ranges
    _require_same_range(augmenter, dtype)
    strategy = strategy or tf.distribute.get_strategy()
    pairs = _pairs(augmenter, _noise(images), strategy, eager)
    if all(np.array_equal(pair.first, pair.second) for pair in pairs):
        raise UserError(
            f"augmenter {augmenter.title} makes two identical views of each image, so "
            "that there is nothing to learn: no two of its calls differ. Random layers "
            "must be among it and be given `training`; a seed= of an operation makes "
            "it draw the same in both calls, and must be left out."
        )
    augmenter.found_ranges[dtype] = _range(augmenter, pairs, dtype)
    if first_time:
        (say or _say)(_told(augmenter, pairs))


def _say(line: str) -> None:
    messages.say(line, sys.stderr)


def _told(augmenter: OwnViews, pairs: list[_Pair]) -> str:
    line = f"Views are made in the step by {augmenter.title}, called twice. "
    if all(pair.equals(pairs[0]) for pair in pairs):
        return (
            f"{line}They are the same two of a batch in every step: what it draws by "
            "Python or NumPy, or from a fixed seed, is drawn once. Use tf.random, or "
            "layers derived from Keras' BaseRandomLayer."
        )
    return line + (_REPEATS if pairs[0].equals(pairs[-1]) else _OWN_STATE)


def _noise(images: tf.TensorSpec) -> tf.Tensor:
    """Values over the whole range, the same at each call."""
    sizes = images.shape.as_list() if images.shape.rank == 4 else [None] * 3 + [3]
    batch, height, width, channels = sizes
    batch = batch if batch and batch <= _MOST else _IMAGES
    shape = [batch, height or _SIDE, width or _SIDE, channels or 3]
    values = np.random.default_rng(0).uniform(size=shape)
    values.reshape(-1)[:2] = 0.0, 1.0
    if images.dtype.is_floating:
        return tf.cast(values, images.dtype)
    return tf.cast(np.round(values * images.dtype.max), images.dtype)


def _pairs(
    augmenter: OwnViews, noise: tf.Tensor, strategy: Any, eager: bool
) -> list[_Pair]:
    def pair(images: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with drawing_from(lambda: seed, [augmenter]):
            return augmenter.made_of(images), augmenter.made_of(images)

    def on_replicas(images: tf.Tensor, seed: tf.Tensor) -> tuple[Any, Any]:
        return strategy.run(pair, (images, seed))

    run = on_replicas if eager else tf.function(on_replicas)
    try:
        with strategy.scope():
            made = [run(noise, tf.constant(seed)) for seed in _SEEDS]
    except UserError:
        raise
    except NotImplementedError as error:
        raise UserError(
            f"augmenter {augmenter.title} leaves TensorFlow's graph, as NumPy does: "
            "write it with TensorFlow's operations, or map it over your dataset with "
            f'tf.numpy_function and give {{"views": …}} ({_first_line(error)}).'
        ) from error
    except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
        raise UserError(
            f"augmenter {augmenter.title} cannot be called with a batch of images "
            f"{noise.dtype.name} {noise.shape}: {_first_line(error)} A function of one "
            "image becomes one of a batch by tf.map_fn or tf.vectorized_map."
        ) from error
    return [
        _Pair(*(strategy.experimental_local_results(each)[0].numpy() for each in views))
        for views in made
    ]


def _first_line(error: Exception) -> str:
    """Of what went wrong, without TensorFlow's account of where."""
    message = getattr(error, "message", None) or str(error)
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(("in user code", "File "))]
    return (told or [type(error).__name__])[-1][:300]


def _range(
    augmenter: OwnViews, pairs: list[_Pair], images: tf.DType
) -> tuple[float, float]:
    """Black and white in the views; UserError where it can be neither of two ranges."""
    lowest = float(min(view.min() for pair in pairs for view in pair))
    highest = float(max(view.max() for pair in pairs for view in pair))
    if not np.issubdtype(pairs[0].first.dtype, np.inexact):
        return 0.0, 1.0  # Integers say their range themselves.
    unit, pixels = (0.0, 1.0), (0.0, float(images.max))
    known: tuple[float, float] | None = augmenter.range_of(images)
    candidates = [unit, pixels] if known is None else [known]
    # White noise that was standardised stays far below white.
    if known is None and highest < _BRIGHT * pixels[1]:
        candidates = [unit]
    for black, white in candidates:
        width = white - black
        if LOWEST * width <= lowest - black and highest - black <= HIGHEST * width:
            return black, white
    expected = f"{known[0]:g} to {known[1]:g}" if known else "[0, 1] or 0..255"
    raise UserError(
        f"augmenter {augmenter.title} makes views from {lowest:g} to {highest:g} of "
        f"{images.name} images, which is not {expected}: leave out what standardises "
        "them, since the encoder is given [0, 1]."
    )


def _require_same_range(augmenter: OwnViews, images: tf.DType) -> None:
    """Raises UserError where a layer was made for values that it will not see."""
    expected = 1.0 if images.is_floating else float(images.max)
    layers = getattr(augmenter.augment, "layers", [augmenter.augment])
    for layer in layers if isinstance(layers, list) else []:
        stated = getattr(layer, "value_range", getattr(layer, "_value_range", None))
        if isinstance(layer, tf.keras.layers.InputLayer):
            continue
        if not _keeps_range(layer):
            return  # Those behind it see other values.
        if stated is not None and float(stated[1]) not in (expected,):
            raise UserError(
                f"{type(layer).__name__} of augmenter {augmenter.title} was made for "
                f"values in {stated[0]:g}..{stated[1]:g}, and the images are "
                f"{images.name} with values in 0..{expected:g}: make it with "
                f"value_range=(0, {expected:g})."
            )


def _keeps_range(layer: Any) -> bool:
    """Whether a layer is known to give values in the range that it was given."""
    scales = (tf.keras.layers.Rescaling, tf.keras.layers.Normalization)
    calls = (tf.keras.layers.Lambda, tf.keras.Model)
    library = type(layer).__module__.partition(".")[0]
    return library in _LIBRARIES and not isinstance(layer, (*scales, *calls))
