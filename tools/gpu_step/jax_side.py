"""Runs the exported programs of a case by JAX, on whatever device it finds.

A worker of `run.py`, for an environment that holds jax and no TensorFlow.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import sys
import time
from collections.abc import Callable
from typing import Any

# Memory is taken as it is needed, so that its peak is that of the step and PyTorch has
# the rest. TensorFlow's counters are 64-bit integers.
os.environ.update(XLA_PYTHON_CLIENT_PREALLOCATE="false", JAX_ENABLE_X64="1")

import jax
import jax.export
import jax.numpy as jnp
import numpy as np

from tools.gpu_step.answering import answer

# Batches that take turns as the input of steps.
_BATCHES = 4
_WARM_UP_STEPS = 3


def import_program(folder: pathlib.Path, manifest: dict[str, Any]) -> Callable:
    """A function from a program's arguments to a tuple of its results.

    `jax.export` says how a StableHLO module is called; that of a function of the same
    arguments and results is exported, and then the module put in its place.
    """
    arguments = [*manifest["inputs"], *manifest["variables"]]
    changed = [v for v in manifest["variables"] if v["output"] is not None]
    results = [_shape(array) for array in [*manifest["outputs"], *changed]]

    def alike(*_: jax.Array) -> tuple[jax.Array, ...]:
        return tuple(jnp.zeros(result.shape, result.dtype) for result in results)

    exported = jax.export.export(jax.jit(alike, keep_unused=True))(
        *[_shape(array) for array in arguments]
    )
    artifact = (folder / "program.mlirbc").read_bytes()
    return dataclasses.replace(exported, mlir_module_serialized=artifact).call


def _shape(array: dict[str, Any]) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(tuple(array["shape"]), jnp.dtype(array["dtype"]))


class Step:
    """A step and its state, to be compiled before it is taken.

    Variables that a step changes are donated: their new values take the memory of the
    old, as in TensorFlow.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.manifest = json.loads((folder / "program.json").read_text())
        self.variables: list[dict[str, Any]] = self.manifest["variables"]
        call = import_program(folder, self.manifest)
        outputs = len(self.manifest["outputs"])
        changes = [v["output"] is not None for v in self.variables]

        def step(inputs: list, changing: list, constant: list) -> tuple[list, list]:
            moving, still = iter(changing), iter(constant)
            state = [next(moving if changed else still) for changed in changes]
            results = call(*inputs, *state)
            return list(results[:outputs]), list(results[outputs:])

        inputs = [_shape(array) for array in self.manifest["inputs"]]
        self.lowered = jax.jit(step, donate_argnums=1).lower(
            inputs, *self._apart([_shape(variable) for variable in self.variables])
        )
        self.compiled: Any = None
        self.changing: list[jax.Array] = []
        self.constant: list[jax.Array] = []

    def compile(self) -> None:
        """For the device that is found."""
        self.compiled = self.lowered.compile()

    def _apart(self, values: list) -> tuple[list, list]:
        """What belongs to variables that a step changes, and to the others."""
        pairs = list(zip(values, self.variables))
        changing = [value for value, v in pairs if v["output"] is not None]
        return changing, [value for value, v in pairs if v["output"] is None]

    def start(self, values: list[np.ndarray]) -> None:
        """Gives all variables their first values."""
        arrays = [jax.device_put(value) for value in values]
        self.changing, self.constant = self._apart(arrays)

    def take(self, inputs: list[jax.Array]) -> list[jax.Array]:
        """Takes a step, and gives its outputs, perhaps before they are computed."""
        outputs, self.changing = self.compiled(inputs, self.changing, self.constant)
        return outputs

    def values(self) -> list[np.ndarray]:
        """The variables now."""
        moving, still = iter(self.changing), iter(self.constant)
        return [
            np.asarray(next(still if v["output"] is None else moving))
            for v in self.variables
        ]

    def planned_bytes(self) -> int:
        """Arguments, temporaries, and results that do not take an argument's place."""
        plan = self.compiled.memory_analysis()
        return (
            plan.argument_size_in_bytes
            + plan.temp_size_in_bytes
            + plan.output_size_in_bytes
            - plan.alias_size_in_bytes
        )


class Worker:
    """Answers `run.py`; see `answering`."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.steps: dict[str, Step] = {}
        self.batches: dict[str, list[list[jax.Array]]] = {}

    def describe(self) -> dict[str, Any]:
        """The version and the device, and how fast it multiplies."""
        device = jax.devices()[0]
        found = {
            "version": f"JAX {jax.__version__}",
            "device": device.device_kind,
            "platform": device.platform,
        }
        if device.platform == "gpu":
            found["product_flops"] = _product_flops()
        return found

    def set_up(self, program: str) -> dict[str, Any]:
        """Compiles a program and takes its first steps."""
        began = time.monotonic()
        step = Step(self.folder / program)
        lowered = time.monotonic()
        step.compile()
        compiled = time.monotonic()
        generator = np.random.default_rng(0)
        step.start([_first_value(v, generator) for v in step.variables])
        self.steps[program] = step
        self.batches[program] = [
            [jax.device_put(_random(i, generator)) for i in step.manifest["inputs"]]
            for _ in range(_BATCHES)
        ]
        loss = self._take(program, _WARM_UP_STEPS)
        return {
            "set_up_seconds": time.monotonic() - began,
            "lowering_seconds": lowered - began,
            "compile_seconds": compiled - lowered,
            "planned_bytes": step.planned_bytes(),
            "peak_bytes": _peak_bytes(),
            "first_loss": loss,
        }

    def turn(self, program: str, seconds: float) -> dict[str, Any]:
        """Takes steps for about so many seconds."""
        began = time.perf_counter()
        self._take(program, 2)
        each = (time.perf_counter() - began) / 2
        count = max(2, round(seconds / each))
        began = time.perf_counter()
        loss = self._take(program, count)
        return {
            "seconds": (time.perf_counter() - began) / count,
            "steps": count,
            "loss": loss,
            "peak_bytes": _peak_bytes(),
        }

    def check(self, program: str) -> dict[str, Any]:
        """How far results are from TensorFlow's own, of the same values and inputs."""
        step = self.steps[program]
        with np.load(step.folder / "check.npz") as arrays:
            known = dict(arrays)
        names = [array["name"] for array in step.manifest["inputs"]]
        places = range(len(step.variables))
        step.start([known[f"start_{place}"] for place in places])
        outputs = []
        for batch in zip(*(known[f"input_{name}"] for name in names)):
            outputs.append([np.asarray(value) for value in step.take(list(batch))])
        found = {
            f"output_{array['name']}": np.stack(values)
            for array, values in zip(step.manifest["outputs"], zip(*outputs))
        }
        found.update((f"end_{place}", v) for place, v in enumerate(step.values()))
        moved = max(
            _distance(known[f"start_{place}"], known[f"end_{place}"])
            for place in places
            if step.variables[place]["role"] == "trainable"
        )
        return {
            "steps": len(outputs),
            "outputs_apart": max(
                _distance(found[name], known[name])
                for name in found
                if name.startswith("output_")
            ),
            "variables_apart": max(
                _distance(found[f"end_{place}"], known[f"end_{place}"])
                for place in places
            ),
            "weights_moved": moved,
        }

    def _take(self, program: str, count: int) -> float:
        """Takes steps to their end, and gives the loss of the last."""
        step, batches = self.steps[program], self.batches[program]
        for number in range(count):
            outputs = step.take(batches[number % _BATCHES])
        jax.block_until_ready(step.changing)
        names = [array["name"] for array in step.manifest["outputs"]]
        return float(outputs[names.index("loss")])


def _first_value(
    variable: dict[str, Any], generator: np.random.Generator
) -> np.ndarray:
    shape, dtype = tuple(variable["shape"]), np.dtype(variable["dtype"])
    start = variable["start"]
    if "constant" in start:
        return np.full(shape, start["constant"], dtype)
    return generator.normal(start["mean"], start["deviation"], shape).astype(dtype)


def _random(array: dict[str, Any], generator: np.random.Generator) -> np.ndarray:
    """Noise: uint8 images, seeds, or views in [0, 1]."""
    shape, dtype = tuple(array["shape"]), np.dtype(array["dtype"])
    if dtype.kind in "ui":
        most = 256 if dtype == np.uint8 else 2**31
        return generator.integers(0, most, shape).astype(dtype)
    return generator.random(shape, np.float32).astype(dtype)


def _distance(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest difference, relative to the largest of their numbers."""
    ours, theirs = (np.asarray(a, np.float64) for a in (ours, theirs))
    largest = np.abs(theirs).max(initial=0.0)
    return float(np.abs(ours - theirs).max(initial=0.0) / (largest or 1.0))


def _peak_bytes() -> int | None:
    """The most that this process ever held on the device."""
    stats = jax.devices()[0].memory_stats() or {}
    return stats.get("peak_bytes_in_use")


def _product_flops() -> float:
    """Operations a second in products of bfloat16 matrices of 8192 rows and columns."""
    size, count = 8192, 20
    keys = jax.random.split(jax.random.key(0))
    a, b = (jax.random.normal(key, (size, size), jnp.bfloat16) for key in keys)
    product = jax.jit(jnp.matmul)
    jax.block_until_ready(product(a, b))
    began = time.perf_counter()
    for _ in range(count):
        c = product(a, b)
    jax.block_until_ready(c)
    return count * 2.0 * size**3 / (time.perf_counter() - began)


if __name__ == "__main__":
    worker = Worker(pathlib.Path(sys.argv[1]))
    names = ("describe", "set_up", "turn", "check")
    answer({name: getattr(worker, name) for name in names})
