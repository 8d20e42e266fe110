"""The package is written for Keras 2, which newer TensorFlow has as tf-keras."""

from __future__ import annotations

import importlib.util
import os

from simclr_tf.errors import UserError


class KerasMissing(UserError, ImportError):
    """There is no TensorFlow with Keras 2; the message says how to get it."""


def ask_for_it() -> None:
    """Asks TensorFlow for Keras 2, in the process of a command, before its import.

    In a user's process that choice is the user's: it changes `tf.keras` for everything
    else there.
    """
    if importlib.util.find_spec("tf_keras"):
        os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")


def require() -> None:
    """Makes sure that `tf.keras` is Keras 2.

    Raises:
        KerasMissing: `tf.keras` is Keras 3, or cannot be imported, or there is no
            TensorFlow; one line that says how to get Keras 2.
    """
    if not importlib.util.find_spec("tensorflow"):
        raise KerasMissing(
            "simclr_tf needs TensorFlow, which this Python does not have: pip install "
            "tensorflow~=2.15.1 (Python 3.9 to 3.11), or tensorflow~=2.21.0 and "
            "tf-keras~=2.21.0"
        )
    import tensorflow as tf

    try:
        version = getattr(tf.keras, "__version__", "2")  # Keras 2 has no such name.
    except (ImportError, RecursionError):  # The latter at TensorFlow's second try.
        found = "missing"
    else:
        if version.startswith("2"):
            return
        found = f"Keras {version}"
    minor = ".".join(tf.__version__.split(".")[:2])
    raise KerasMissing(
        f"simclr_tf needs Keras 2, but tf.keras of TensorFlow {tf.__version__} is "
        f"{found}: pip install tf-keras~={minor}.0 and set TF_USE_LEGACY_KERAS=1 in "
        "the environment before tensorflow is imported"
    )
