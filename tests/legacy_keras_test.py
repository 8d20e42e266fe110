"""Keras 2 is found, asked for by the command line, or missed in one line."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest
import tensorflow as tf

from simclr_tf import legacy_keras

pytestmark = pytest.mark.slow

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def newer_python() -> str:
    """A Python with TensorFlow 2.16 or later, where tf.keras is Keras 3 by default."""
    if tuple(map(int, tf.__version__.split(".")[:2])) >= (2, 16):
        return sys.executable
    for candidate in (
        os.environ.get("SIMCLR_NEXT_PYTHON"),
        REPOSITORY / ".venv-tf2.21" / "bin" / "python",
    ):
        if candidate and pathlib.Path(candidate).exists():
            return str(candidate)
    pytest.skip(
        "needs TensorFlow 2.16 or later: .venv-tf2.21, or a Python that "
        "SIMCLR_NEXT_PYTHON names"
    )


def run(python: str, *arguments: str, **environment: str) -> tuple[int, str, str]:
    inherited = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    result = subprocess.run(
        [python, *arguments],
        cwd=REPOSITORY,
        env={**inherited, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, result.stdout, result.stderr


def test_accepts_keras_2():
    legacy_keras.require()


@pytest.mark.parametrize(
    ("before", "environment", "found"),
    [
        pytest.param("pass", {}, "Keras 3.", marks=pytest.mark.exhaustive),
        pytest.param("import tensorflow", {}, "Keras 3.", marks=pytest.mark.exhaustive),
        pytest.param(
            "import sys; sys.modules['tf_keras'] = None",
            {"TF_USE_LEGACY_KERAS": "1"},
            "missing",
            marks=pytest.mark.exhaustive,
        ),
    ],
    ids=["imported first", "imported after tensorflow", "without tf-keras"],
)
def test_says_in_one_line_how_to_get_keras_2(newer_python, before, environment, found):
    program = f"""
{before}
for statement in ("from simclr_tf import SimCLR", "import simclr_tf.data"):
    try:
        exec(statement)
    except ImportError as error:
        print(error)
"""
    _, output, _ = run(newer_python, "-c", program, **environment)
    first, second = output.splitlines()
    assert second == first
    assert f"is {found}" in first
    assert "pip install tf-keras~=2." in output
    assert "TF_USE_LEGACY_KERAS=1" in output


@pytest.mark.exhaustive
def test_takes_keras_2_when_asked_for(newer_python):
    program = "from simclr_tf import SimCLR"
    status, _, errors = run(newer_python, "-c", program, TF_USE_LEGACY_KERAS="1")
    assert status == 0, errors


@pytest.mark.exhaustive  # On TensorFlow 2.16 and later cli/main_test.py has it too.
def test_command_line_asks_for_keras_2(newer_python):
    status, output, errors = run(newer_python, "-m", "simclr_tf", "knn", "--help")
    assert status == 0, errors
    assert "--run" in output
