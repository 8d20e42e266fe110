"""What every test may count on: quiet TensorFlow, clean Keras state, shared data."""

from __future__ import annotations

import importlib.util
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if importlib.util.find_spec("tf_keras"):
    os.environ["TF_USE_LEGACY_KERAS"] = "1"

import pytest
import tensorflow as tf

_REPOSITORY = pathlib.Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> pathlib.Path:
    """The folder of golden numbers and images that lies beside the checkout."""
    folder = pathlib.Path(
        os.environ.get("SIMCLR_SHARED", _REPOSITORY.parent / "shared")
    ).resolve()
    if not folder.is_dir():
        pytest.skip(
            f"needs golden numbers and images in {folder}, which is absent "
            "(SIMCLR_SHARED names another folder)"
        )
    return folder


@pytest.fixture(autouse=True)
def _fresh_keras():
    """Undoes what a test changed in Keras' global state."""
    yield
    tf.keras.mixed_precision.set_global_policy(None)
    tf.keras.backend.set_floatx("float32")
    tf.keras.backend.clear_session()
