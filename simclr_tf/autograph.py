"""AutoGraph: not for the package's own code, and as usual for users'."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def spare_the_package() -> None:
    """Lets AutoGraph call the package's functions as they are written.

    They have no Python control flow over tensors, and converting them takes seconds of
    each command's start. TensorFlow spares itself and Keras by the same list, for which
    there is no public name; where it is not found, they are converted. Keras layers of
    a user's own are converted as ever, and so is what is given to `tf.function`.
    """
    try:
        from tensorflow.python.autograph.core import config

        rule = config.DoNotConvert(__name__.partition(".")[0])
        config.CONVERSION_RULES = (rule, *config.CONVERSION_RULES)
    except (ImportError, AttributeError):
        pass


def converted(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that users may write, as AutoGraph converts it where the caller's is.

    Without a graph there is nothing to convert.
    """
    import tensorflow as tf

    if tf.executing_eagerly():
        return function
    autograph = tf.__internal__.autograph
    return autograph.tf_convert(function, autograph.control_status_ctx())
