"""The Python that holds jax and libtpu, and the programs that run in it."""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from simclr_tf.errors import UserError
from simclr_tf.tpu_check.program import Program

DEFAULT = ".venv-tpu-check/bin/python"
# As in requirements-tpu-check.txt, which names what they need in turn.
PACKAGES = ("jax==0.10.2", "jaxlib==0.10.2", "libtpu==0.0.52")
_SCRIPTS = pathlib.Path(__file__).resolve().parent


class CompilerMissing(UserError):
    """There is no Python with jax and libtpu; the message says how to make one."""


def find_compiler(python: str | None = None) -> str:
    """The interpreter of an environment that holds jax and libtpu.

    Args:
      python: its path; by default `.venv-tpu-check/bin/python` in the working
        folder, else this Python where it holds both.

    Raises:
      CompilerMissing: where there is none.
    """
    if python is None:
        if not os.path.exists(DEFAULT) and _has_compiler():
            return sys.executable
        python = DEFAULT
    found = os.path.exists(python)
    if found:
        imports = [python, "-c", "import jax, libtpu"]
        if not subprocess.run(imports, capture_output=True, check=False).returncode:
            return python
    folder = os.path.dirname(os.path.dirname(python)) if not found else None
    folder = folder or os.path.dirname(os.path.dirname(DEFAULT))
    raise CompilerMissing(
        f"the TPU compiler lives in an environment of its own, and {python} "
        f"{'has no jax and libtpu' if found else 'is not there'}. Make it with: "
        f"python3.11 -m venv {folder} && {folder}/bin/pip install "
        f"{' '.join(PACKAGES)}  (libtpu comes under the terms of the Google Cloud "
        "Platform)"
    )


def _has_compiler() -> bool:
    return all(importlib.util.find_spec(name) for name in ("jax", "libtpu"))


def describe(python: str, topology: str) -> dict[str, Any]:
    """The compiler's account of a topology; see `compile_for_tpu.py`.

    Raises:
      ValueError: where the compiler cannot be run.
    """
    with tempfile.TemporaryDirectory() as folder:
        return _answer(python, folder, [f"--topology={topology}"])


def compile_for_tpu(python: str, topology: str, program: Program) -> dict[str, Any]:
    """The compiler's account of a program; see `compile_for_tpu.py`.

    Raises:
      ValueError: where the compiler cannot be run.
    """
    with tempfile.TemporaryDirectory() as folder:
        program.save(folder)
        arguments = [f"--topology={topology}", f"--program={folder}"]
        return _answer(python, folder, arguments)


def run_on_cpus(
    python: str,
    program: Program,
    inputs: Mapping[str, np.ndarray],
    *,
    restart: Sequence[str] = (),
) -> dict[str, np.ndarray]:
    """Runs a program on as many simulated CPU devices as it has replicas.

    Args:
      python: of `find_compiler`.
      program: begins with the values its variables have now.
      inputs: of each input an array `[steps, replicas, …]`.
      restart: roles whose variables get their first value at each step again.

    Returns:
      Each output `[steps, replicas, …]` by its name, and each variable after the
      last step, `[replicas, …]`, as `variable_0`, `variable_1`, …

    Raises:
      ValueError: where the program cannot be run.
    """
    with tempfile.TemporaryDirectory() as folder:
        program.save(folder)
        given, output = f"{folder}/inputs.npz", f"{folder}/outputs.npz"
        values = {
            f"variable_{place}": variable.numpy()
            for place, variable in enumerate(program.sources)
        }
        np.savez(given, **values, **inputs)
        _run(
            python,
            "run_on_cpus.py",
            [f"--program={folder}", f"--inputs={given}", f"--output={output}"]
            + [f"--restart={role}" for role in restart],
        )
        with np.load(output) as arrays:
            return dict(arrays)


def _answer(python: str, folder: str, arguments: Sequence[str]) -> dict[str, Any]:
    output = pathlib.Path(folder) / "answer.json"
    _run(python, "compile_for_tpu.py", [*arguments, f"--output={output}"])
    return json.loads(output.read_text())


def _run(python: str, script: str, arguments: Sequence[str]) -> None:
    """Runs one of our programs; ValueError with its last words where it fails."""
    done = subprocess.run(
        [python, str(_SCRIPTS / script), *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        raise ValueError(
            f"{script} failed in {python}: {said[-1]} (it is written for "
            f"{', '.join(PACKAGES)})"
        )
