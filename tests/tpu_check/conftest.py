"""The environment of the TPU compiler, where there is one."""

from __future__ import annotations

import os
import pathlib

import pytest

from simclr_tf.tpu_check.second_environment import (
    DEFAULT,
    CompilerMissing,
    find_compiler,
)

_REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session")
def compiler() -> str:
    """The Python that holds jax and libtpu."""
    default = str(_REPOSITORY / DEFAULT)
    try:
        return find_compiler(os.environ.get("SIMCLR_TPU_CHECK_PYTHON", default))
    except CompilerMissing as error:
        pytest.skip(f"{error} (SIMCLR_TPU_CHECK_PYTHON names another Python)")
