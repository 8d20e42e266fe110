"""Random layers of Keras and keras-cv, such as dropout, as functions of a given seed.

These layers draw from a hidden state, so that a resumed run would draw other numbers
than one that was never stopped; some of keras-cv's draw the same numbers in every step
of a graph. In a step of SimCLR they draw from (seed, step) instead.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import threading
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras_cv
import tensorflow as tf

# Each replica of a MirroredStrategy runs in a thread of its own.
_CURRENT = threading.local()


class _Draws:
    """One seed, and how often each layer has drawn from it in each graph."""

    def __init__(self, seed: tf.Tensor) -> None:
        self._seed = seed
        self._calls: collections.Counter = collections.Counter()

    def next_seed(self, place: int) -> tf.Tensor:
        """The seed of a layer's next draw."""
        # A layer that Keras builds within the step draws in a graph of Keras' own too.
        eager = tf.executing_eagerly()
        key = place, None if eager else tf.compat.v1.get_default_graph()
        fold_in = tf.random.experimental.stateless_fold_in
        seed = fold_in(fold_in(self._seed, place), self._calls[key])
        self._calls[key] += 1
        return seed


@contextlib.contextmanager
def drawing_from(
    seed: Callable[[], tf.Tensor], models: Iterable[tf.Module]
) -> Iterator[None]:
    """While entered, the random layers of models draw from a seed.

    Draws are the same for the same seed; those of different layers are independent.
    It governs Keras' `BaseRandomLayer` and keras-cv's regularization layers (DropPath,
    DropBlock2D, StochasticDepth); layers that draw by other means are left alone.

    Args:
      seed: gives the seed, int32 `[2]`; called only if the models have random layers.
      models: Keras models or layers.
    """
    sources = _sources(models)
    if not sources:
        yield
        return
    for place, source in enumerate(sources):
        _make_seeded(source, place)
    before = _draws()
    _CURRENT.draws = _Draws(seed())
    try:
        yield
    finally:
        _CURRENT.draws = before


def _draws() -> _Draws | None:
    return getattr(_CURRENT, "draws", None)


def _sources(models: Iterable[tf.Module]) -> list[Any]:
    """All random generators, and layers that draw without one, each once."""
    found = {}
    for model in models:
        for layer in [model, *model.submodules]:
            for source in _sources_of(layer):
                found[id(source)] = source
    return list(found.values())


def _sources_of(layer: tf.Module) -> list[Any]:
    if isinstance(layer, tf.keras.__internal__.layers.BaseRandomLayer):
        return [layer._random_generator]
    if getattr(type(layer), "call", None) is keras_cv.layers.StochasticDepth.call:
        return [layer]
    return [each for each in vars(layer).values() if isinstance(each, _cv_generator())]


@functools.cache
def _cv_generator() -> type:
    """keras-cv's class of random generators, which it does not export."""
    return type(keras_cv.layers.DropPath(0.0).seed)


def _make_seeded(source: Any, place: int) -> None:
    """Lets a generator or layer obey `drawing_from`, with draws of its own."""
    # The object stays the same: Keras saves a generator with its layer.
    if isinstance(source, keras_cv.layers.StochasticDepth):
        source.call = types.MethodType(_stochastic_depth, source)
        source._place = place
        return
    make_class = _seeded_class
    if isinstance(source, _cv_generator()):
        make_class = _seeded_cv_class
    source.__class__ = make_class(source.__class__)
    source.place = place


def _stochastic_depth(
    self: keras_cv.layers.StochasticDepth, x: Any, training: bool | None = None
) -> tf.Tensor:
    """`StochasticDepth.call`, which keeps or drops the residual of a whole batch."""
    draws = _draws()
    if draws is None or not training:
        return type(self).call(self, x, training=training)
    shortcut, residual = x
    drawn = tf.random.stateless_uniform([], draws.next_seed(self._place))
    kept = tf.cast(drawn < self.survival_probability, residual.dtype)
    return shortcut + kept * residual


@functools.cache
def _seeded_cv_class(base: Any) -> Any:
    """A subclass of keras-cv's SeedGenerator that obeys `drawing_from`."""
    if getattr(base, "obeys_drawing_from", False):
        return base

    class SeededGenerator(base):
        obeys_drawing_from = True

        def next(self, ordered: bool = True) -> Any:
            draws = _draws()
            if draws is None:
                return super().next(ordered)
            return draws.next_seed(self.place)

    return SeededGenerator


# A base whose methods are not known here: those of the class that it stands beside.
_BESIDE: Any = object


class _SeededDraws(_BESIDE):
    """What makes a subclass of Keras' RandomGenerator obey `drawing_from`."""

    obeys_drawing_from = True
    place: int

    def make_seed_for_stateless_op(self) -> tf.Tensor | None:
        draws = _draws()
        if draws is None:
            return super().make_seed_for_stateless_op()
        return draws.next_seed(self.place)

    def random_uniform(
        self,
        shape: Any,
        minval: Any = 0.0,
        maxval: Any = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> tf.Tensor:
        if _draws() is None:
            return super().random_uniform(shape, minval, maxval, dtype, **kwargs)
        maxval = 1.0 if maxval is None else maxval
        return self._draw(tf.random.stateless_uniform, shape, minval, maxval, dtype)

    def random_normal(
        self,
        shape: Any,
        mean: Any = 0.0,
        stddev: Any = 1.0,
        dtype: Any = None,
        **kwargs: Any,
    ) -> tf.Tensor:
        if _draws() is None:
            return super().random_normal(shape, mean, stddev, dtype, **kwargs)
        return self._draw(tf.random.stateless_normal, shape, mean, stddev, dtype)

    def truncated_normal(
        self,
        shape: Any,
        mean: Any = 0.0,
        stddev: Any = 1.0,
        dtype: Any = None,
        **kwargs: Any,
    ) -> tf.Tensor:
        if _draws() is None:
            return super().truncated_normal(shape, mean, stddev, dtype, **kwargs)
        draw = tf.random.stateless_truncated_normal
        return self._draw(draw, shape, mean, stddev, dtype)

    def _draw(
        self, draw: Any, shape: Any, first: Any, second: Any, dtype: Any
    ) -> tf.Tensor:
        """Numbers of the distribution with two parameters that `draw` gives."""
        seed = self.make_seed_for_stateless_op()
        dtype = dtype or tf.keras.backend.floatx()
        return draw(shape, seed, first, second, dtype)

    def dropout(
        self, inputs: tf.Tensor, rate: float, noise_shape: Any = None
    ) -> tf.Tensor:
        if _draws() is None:
            return super().dropout(inputs, rate, noise_shape=noise_shape)
        return tf.nn.experimental.stateless_dropout(
            inputs,
            rate=rate,
            seed=self.make_seed_for_stateless_op(),
            noise_shape=noise_shape,
        )


@functools.cache
def _seeded_class(base: Any) -> Any:
    """A subclass of Keras' RandomGenerator that obeys `drawing_from`."""
    if getattr(base, "obeys_drawing_from", False):
        return base
    return type("SeededGenerator", (_SeededDraws, base), {})
