"""A TPU program run on simulated CPU devices, by the Python that holds jax."""

from __future__ import annotations

import pathlib
import tempfile
from collections.abc import Mapping, Sequence

import numpy as np

from simclr_tf.tpu_check.program import Program
from simclr_tf.tpu_check.second_environment import run_script

_SCRIPT = str(pathlib.Path(__file__).resolve().parent / "run_on_cpus.py")


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
        run_script(
            python,
            _SCRIPT,
            [f"--program={folder}", f"--inputs={given}", f"--output={output}"]
            + [f"--restart={role}" for role in restart],
        )
        with np.load(output) as arrays:
            return dict(arrays)
