"""The package is written for Keras 2, which newer TensorFlow has as tf-keras."""

from __future__ import annotations

import importlib.util
import os
import pathlib
import sys

from simclr_tf import native_noise


def require() -> None:
    """Makes sure that `tf.keras` is Keras 2.

    The `simclr` command and `python -m simclr_tf` ask TensorFlow for it here, and for
    short reads from gs://, since Python imports the package before any of their own
    code runs. In a user's process that choice is the user's: it changes `tf.keras` for
    everything else there.

    Raises:
        ImportError: `tf.keras` is Keras 3, or cannot be imported; one line that says
            how to get Keras 2.
    """
    if _is_command():
        # TensorFlow's account of the machine would hide what the command says.
        native_noise.start()
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        # Records are read one by one; the default fetches 64 MiB for each of them.
        os.environ.setdefault("GCS_READAHEAD_BUFFER_SIZE_BYTES", str(256 * 1024))
        if importlib.util.find_spec("tf_keras"):
            os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

    import tensorflow as tf

    try:
        version = getattr(tf.keras, "__version__", "2")  # Keras 2 has no such name.
    except ImportError:
        found = "missing"
    else:
        if version.startswith("2"):
            return
        found = f"Keras {version}"
    minor = ".".join(tf.__version__.split(".")[:2])
    raise ImportError(
        f"simclr_tf needs Keras 2, but tf.keras of TensorFlow {tf.__version__} is "
        f"{found}: pip install tf-keras~={minor}.0 and set TF_USE_LEGACY_KERAS=1 in "
        "the environment before tensorflow is imported"
    )


def _is_command() -> bool:
    # While `python -m` looks for a package's __main__, "-m" stands in argv[0].
    program = sys.argv[0] if sys.argv else ""
    return program == "-m" or pathlib.Path(program).stem == "simclr"
