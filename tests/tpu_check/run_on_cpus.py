"""Runs an exported step, collectives and all, on simulated CPU devices.

A program of its own, for an environment that holds jax and no TensorFlow
(requirements-tpu-check.txt):

  python run_on_cpus.py --program=FOLDER --inputs=in.npz --output=out.npz

The inputs hold `variable_0`, `variable_1`, …, the variables in the program's order,
the same on each replica; and of each input of the program, by its name, an array
`[steps, replicas, …]`. The output holds each output `[steps, replicas, …]` by its
name and each variable `[replicas, …]` after the last step. `--restart=metric` gives
variables of that role their first value at each step again.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
from typing import Any


def main() -> None:
    """Answers the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", type=pathlib.Path, required=True)
    parser.add_argument("--inputs", type=pathlib.Path, required=True)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--restart", action="append", default=[])
    asked = parser.parse_args()
    manifest = json.loads((asked.program / "program.json").read_text())
    # Read when jax is imported.
    flag = f"--xla_force_host_platform_device_count={manifest['replicas']}"
    os.environ.update(XLA_FLAGS=flag, JAX_PLATFORMS="cpu", JAX_ENABLE_X64="1")
    import numpy as np

    with np.load(asked.inputs) as arrays:
        given = dict(arrays)
    hlo = (asked.program / "program.hlo.pb").read_bytes()
    np.savez(asked.output, **run(hlo, manifest, given, asked.restart))


def run(
    hlo: bytes, manifest: dict[str, Any], given: dict[str, Any], restart: list[str]
) -> dict[str, Any]:
    """What the program gives, step after step; see above."""
    import jax
    import numpy as np

    devices = jax.devices()
    execute = _load(hlo, devices)
    mesh = jax.sharding.Mesh(np.array(devices), ("replica",))
    # Each device holds an array of its own, and jax need not know that they differ.
    replicated = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())

    def on_devices(arrays: Any) -> Any:
        parts = [jax.device_put(a, device) for a, device in zip(arrays, devices)]
        shape = parts[0].shape
        return jax.make_array_from_single_device_arrays(shape, replicated, parts)

    def broadcast(array: Any) -> Any:
        return on_devices([array] * len(devices))

    inputs, variables = manifest["inputs"], manifest["variables"]
    first = [given[f"variable_{place}"] for place in range(len(variables))]
    state = [broadcast(array) for array in first]
    outputs = {array["name"]: [] for array in manifest["outputs"]}
    for step in range(len(given[inputs[0]["name"]])):
        for place, variable in enumerate(variables):
            if variable["role"] in restart:
                state[place] = broadcast(first[place])
        fed = [on_devices(given[array["name"]][step]) for array in inputs]
        results = execute([*fed, *state])
        for array, result in zip(manifest["outputs"], results):
            outputs[array["name"]].append(np.stack(result))
        for place, variable in enumerate(variables):
            if variable["output"] is not None:
                state[place] = on_devices(results[variable["output"]])
    final = {
        f"variable_{place}": np.stack(
            [np.asarray(s.data) for s in array.addressable_shards]
        )
        for place, array in enumerate(state)
    }
    return {**{name: np.stack(steps) for name, steps in outputs.items()}, **final}


def _load(hlo: bytes, devices: list) -> Any:
    """A function from arguments to results, each a list of arrays of one device."""
    import numpy as np
    from jax._src import compiler
    from jax._src.interpreters import mlir
    from jax._src.lib import _jax
    from jax._src.lib import xla_client as xc
    from jaxlib.mlir import ir

    with mlir.make_ir_context():
        module = ir.Module.parse(_jax.mlir.hlo_to_stablehlo(hlo))
        options = compiler.get_compile_options(
            num_replicas=len(devices),
            num_partitions=1,
            device_assignment=np.arange(len(devices))[:, None],
        )
        program = devices[0].client.compile_and_load(
            module, xc.DeviceList(tuple(devices)), options
        )

    def execute(arguments: list) -> list[list[Any]]:
        results = program.execute_sharded(arguments)
        return [
            [np.asarray(part) for part in parts]
            for parts in results.disassemble_into_single_device_arrays()
        ]

    return execute


if __name__ == "__main__":
    main()
