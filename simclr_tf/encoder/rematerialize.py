"""Rematerialization: activations are computed again in the backward pass, not kept."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator

import tensorflow as tf

# The replicas of a process are threads; each has a current pass of its own.
_pass = threading.local()


def rematerialize(
    function: Callable[[tf.Tensor], tf.Tensor], inputs: tf.Tensor
) -> tf.Tensor:
    """`function(inputs)`, which the backward pass computes again (Chen et al. 2016).

    Only the inputs are kept for the backward pass. The result and the gradients, of
    inputs and variables, are those of the plain call. State, such as the moving
    averages of batch norm, is updated once; see `recomputing`.

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
    """Whether the backward pass is computing a function for the second time.

    A layer must not update its state then.
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
