"""Activations computed again in the backward pass instead of kept."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator

import tensorflow as tf

# Replicas of one process are threads, each in a pass of its own.
_pass = threading.local()


def rematerialize(
    function: Callable[[tf.Tensor], tf.Tensor], inputs: tf.Tensor
) -> tf.Tensor:
    """`function(inputs)`, whose gradient computes it once more (Chen et al. 2016).

    Only the inputs are kept for the backward pass. The result and the gradients, of
    inputs and variables, are those of the plain call, and state that it moves, as
    batch norm does its moving averages, moves once; see `recomputing`.

    Args:
      function: the same at each call for the same inputs, its variables made.
      inputs: floating point.
    """
    passes = itertools.count()

    @tf.recompute_grad
    def run(inputs: tf.Tensor) -> tf.Tensor:
        with _marked(again=next(passes) > 0):
            return function(inputs)

    return run(inputs)


def recomputing() -> bool:
    """Whether this is the second pass over what a first has done already.

    State that a layer keeps must then stay as it is.
    """
    return getattr(_pass, "again", False)


@contextlib.contextmanager
def _marked(again: bool) -> Iterator[None]:
    before = recomputing()
    _pass.again = again
    try:
        yield
    finally:
        _pass.again = before
