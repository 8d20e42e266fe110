"""The environment of the TPU compiler, where there is one."""

from __future__ import annotations

import os
import pathlib

import pytest
import tensorflow as tf

from simclr_tf.tpu_check.second_environment import (
    DEFAULT,
    CompilerMissing,
    find_compiler,
)

_REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session")
def compiler() -> str:
    """The Python that holds jax and libtpu."""
    if not tf.__version__.startswith("2.15."):
        pytest.skip("a step is exported by TensorFlow 2.15")
    default = str(_REPOSITORY / DEFAULT)
    try:
        return find_compiler(os.environ.get("SIMCLR_TPU_CHECK_PYTHON", default))
    except CompilerMissing as error:
        pytest.skip(f"{error} (SIMCLR_TPU_CHECK_PYTHON names another Python)")
