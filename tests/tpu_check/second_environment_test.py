"""The way to the second environment is the one its requirements name."""

import importlib.util
import pathlib
import sys

import pytest

from simclr_tf.tpu_check import CompilerMissing
from simclr_tf.tpu_check.second_environment import PACKAGES, find_compiler

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def test_versions_shown_are_those_required():
    required = (ROOT / "requirements-tpu-check.txt").read_text().splitlines()
    assert set(PACKAGES) <= set(required)


def test_an_environment_that_is_not_there_gets_the_commands_to_make_it(tmp_path):
    python = tmp_path / "venv" / "bin" / "python"
    with pytest.raises(CompilerMissing) as caught:
        find_compiler(str(python))
    said = str(caught.value)
    assert f"{python} is not there" in said
    assert f"-m venv {tmp_path / 'venv'} && {tmp_path / 'venv'}/bin/pip install" in said
    assert "Google Cloud" in said


def test_a_python_without_the_compiler_is_told_from_one_that_is_not_there(tmp_path):
    bare = tmp_path / "python"
    bare.write_text("#!/bin/sh\nexit 1\n")
    bare.chmod(0o755)
    with pytest.raises(CompilerMissing, match="has no jax and libtpu"):
        find_compiler(str(bare))


def test_the_default_is_a_folder_of_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if importlib.util.find_spec("jax") and importlib.util.find_spec("libtpu"):
        assert find_compiler() == sys.executable
    else:
        with pytest.raises(
            CompilerMissing, match=r"\.venv-tpu-check/bin/python is not"
        ):
            find_compiler()
