"""The Python that holds jax and libtpu, and the programs that run in it."""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from simclr_tf.errors import UserError
from simclr_tf.tpu_check.program import Program

DEFAULT = ".venv-tpu-check/bin/python"
# As in requirements-tpu-check.txt, which names what they need in turn.
PACKAGES = ("jax==0.10.2", "jaxlib==0.10.2", "libtpu==0.0.52")
_COMPILE = str(pathlib.Path(__file__).resolve().parent / "compile_for_tpu.py")


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
      UserError: where the compiler cannot be run.
    """
    with tempfile.TemporaryDirectory() as folder:
        return _answer(python, folder, [f"--topology={topology}"])


def compile_for_tpu(python: str, topology: str, program: Program) -> dict[str, Any]:
    """The compiler's account of a program; see `compile_for_tpu.py`.

    Raises:
      UserError: where the compiler cannot be run.
    """
    with tempfile.TemporaryDirectory() as folder:
        program.save(folder)
        arguments = [f"--topology={topology}", f"--program={folder}"]
        return _answer(python, folder, arguments)


def _answer(python: str, folder: str, arguments: Sequence[str]) -> dict[str, Any]:
    output = pathlib.Path(folder) / "answer.json"
    run_script(python, _COMPILE, [*arguments, f"--output={output}"])
    return json.loads(output.read_text())


def run_script(python: str, script: str, arguments: Sequence[str]) -> None:
    """Runs a program there.

    Raises:
      UserError: where it fails, with its last words.
    """
    done = subprocess.run(
        [python, script, *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        raise UserError(
            f"{os.path.basename(script)} failed in {python}: {said[-1]} (it is "
            f"written for {', '.join(PACKAGES)})"
        )
