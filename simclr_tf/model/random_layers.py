"""Keras' random layers, such as dropout, drawing from a seed that is given.

Keras' layers draw from a hidden state, so that a resumed run draws otherwise than one
that was never stopped. In a step of SimCLR they draw from (seed, step) instead.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

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
    """In it, the random layers of models draw from a seed.

    Draws are the same for the same seed; those of different layers are independent.
    Layers that draw by other means than Keras' `BaseRandomLayer` are left alone.

    Args:
      seed: gives the seed, int32 `[2]`; called where the models have random layers.
      models: Keras models or layers.
    """
    generators = _generators(models)
    if not generators:
        yield
        return
    for place, generator in enumerate(generators):
        # The object stays the same: Keras saves it with the layer.
        generator.__class__ = _seeded_class(generator.__class__)
        generator.place = place
    before = _draws()
    _CURRENT.draws = _Draws(seed())
    try:
        yield
    finally:
        _CURRENT.draws = before


def _draws() -> _Draws | None:
    return getattr(_CURRENT, "draws", None)


def _generators(models: Iterable[tf.Module]) -> list[Any]:
    """The generators of all random layers, each once."""
    random = tf.keras.__internal__.layers.BaseRandomLayer
    found = {}
    for model in models:
        for layer in [model, *model.submodules]:
            if isinstance(layer, random):
                generator = layer._random_generator
                found[id(generator)] = generator
    return list(found.values())


@functools.cache
def _seeded_class(base: Any) -> Any:
    """A subclass of Keras' RandomGenerator that obeys `drawing_from`."""
    if getattr(base, "obeys_drawing_from", False):
        return base

    class SeededGenerator(base):
        obeys_drawing_from = True

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
            return tf.random.stateless_uniform(
                shape,
                self.make_seed_for_stateless_op(),
                minval,
                1.0 if maxval is None else maxval,
                dtype or tf.keras.backend.floatx(),
            )

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
            seed = self.make_seed_for_stateless_op()
            dtype = dtype or tf.keras.backend.floatx()
            return tf.random.stateless_normal(shape, seed, mean, stddev, dtype)

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
            seed = self.make_seed_for_stateless_op()
            dtype = dtype or tf.keras.backend.floatx()
            return tf.random.stateless_truncated_normal(
                shape, seed, mean, stddev, dtype
            )

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

    return SeededGenerator
