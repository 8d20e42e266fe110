"""Compiles an exported step for a TPU topology, on a machine without a TPU.

A program of its own, for an environment that holds jax and libtpu and no
TensorFlow (requirements-tpu-check.txt):

  python compile_for_tpu.py --topology=v3:8x8 --output=answer.json
  python compile_for_tpu.py --topology=v3:8x8 --program=FOLDER --output=answer.json

Without a program it describes the topology alone. The answer is a JSON object; with
`"refused"` in it, the compiler's own words. It leans on private parts of jax, at the
versions that requirements-tpu-check.txt pins.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import time
from typing import Any

# No metadata server is asked what TPU this is, this machine is the only worker, and
# as no TPU is held, other compilers may work beside this one.
os.environ.update(
    ALLOW_MULTIPLE_LIBTPU_LOAD="1",
    TPU_SKIP_MDS_QUERY="1",
    JAX_PLATFORMS="cpu",
    TPU_WORKER_HOSTNAMES="localhost",
    TPU_LOG_DIR="disabled",
)

import numpy as np
from jax._src import compiler
from jax._src.interpreters import mlir
from jax._src.lib import _jax
from jax._src.lib import xla_client as xc
from jax.experimental import topologies
from jaxlib.mlir import ir


def main() -> None:
    """Answers the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--topology", required=True)
    parser.add_argument("--program", type=pathlib.Path)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    asked = parser.parse_args()
    answer = answer_to(asked.topology, asked.program)
    asked.output.write_text(json.dumps(answer))


def answer_to(topology: str, program: pathlib.Path | None) -> dict[str, Any]:
    """What the compiler has to say."""
    try:
        devices = topologies.get_topology_desc(
            platform="tpu", topology_name=topology
        ).devices
    except Exception as error:  # jax documents no class for it
        return {"refused": str(error), "stage": "topology"}
    answer = {
        "devices": len(devices),
        "device_kind": devices[0].device_kind,
        "chips": len({tuple(device.coords) for device in devices}),
        "compiler": devices[0].client.platform_version.splitlines()[1],
    }
    if program is None:
        return answer
    began = time.monotonic()
    try:
        compiled = compile_program(program, devices)
    except Exception as error:  # of XLA, and of jax where the HLO is not sound
        return {**answer, "refused": str(error), "stage": "compile"}
    return {
        **answer,
        "compile_seconds": time.monotonic() - began,
        **figures(compiled),
    }


def compile_program(program: pathlib.Path, devices: list) -> Any:
    """Compiles the step in a folder for all devices of a topology."""
    manifest = json.loads((program / "program.json").read_text())
    hlo = (program / "program.hlo.pb").read_bytes()
    with mlir.make_ir_context():
        module = ir.Module.parse(_jax.mlir.hlo_to_stablehlo(hlo))
        _reuse_variables(module, manifest)
        count = ir.IntegerType.get_signless(32)
        for name, value in (("replicas", len(devices)), ("partitions", 1)):
            attribute = ir.IntegerAttr.get(count, value)
            module.operation.attributes[f"mhlo.num_{name}"] = attribute
        options = compiler.get_compile_options(
            num_replicas=len(devices),
            num_partitions=1,
            device_assignment=np.array([[device.id] for device in devices]),
        )
        return devices[0].client.compile(
            module,
            executable_devices=xc.DeviceList(tuple(devices)),
            compile_options=options,
        )


def main_function(module: ir.Module) -> Any:
    """The entry of a module."""
    for operation in module.body.operations:
        if ir.StringAttr(operation.name).value == "main":
            return operation
    raise ValueError("The program has no function main.")


def _reuse_variables(module: ir.Module, manifest: dict[str, Any]) -> None:
    """Lets updated variables take the memory of the old, as TensorFlow does."""
    main = main_function(module)
    count = ir.IntegerType.get_signless(32)
    attributes: list[dict[str, ir.Attribute]] = [{} for _ in main.type.inputs]
    for variable in manifest["variables"]:
        if variable["output"] is not None:
            attributes[variable["argument"]]["tf.aliasing_output"] = ir.IntegerAttr.get(
                count, variable["output"]
            )
    main.arg_attrs = ir.ArrayAttr.get([ir.DictAttr.get(a) for a in attributes])


def figures(compiled: Any) -> dict[str, Any]:
    """What a compiled program plans to use, for each core, and its HLO text."""
    memory = compiled.get_compiled_memory_stats()
    cost = compiled.cost_analysis()
    cost = cost[0] if isinstance(cost, list) else cost
    return {
        "memory": {
            "arguments": memory.argument_size_in_bytes,
            "outputs": memory.output_size_in_bytes,
            "aliased": memory.alias_size_in_bytes,
            "temporaries": memory.temp_size_in_bytes,
            "code": memory.generated_code_size_in_bytes,
        },
        "flops": cost["flops"],
        "bytes_accessed": cost["bytes accessed"],
        "hlo": compiled.hlo_modules()[0].to_string(),
    }


if __name__ == "__main__":
    main()
