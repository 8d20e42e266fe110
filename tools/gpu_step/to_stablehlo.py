"""Turns an exported step from HLO into a portable StableHLO artifact.

A program of its own, for an environment that holds jax and no TensorFlow
(requirements-tpu-check.txt):

  python to_stablehlo.py --program=FOLDER

It replaces `program.hlo.pb` by `program.mlirbc`, in a version of StableHLO
that jax of twelve weeks before this one reads too, and any later one for years.
"""

from __future__ import annotations

import argparse
import pathlib

from jax._src.interpreters import mlir
from jax._src.lib import _jax
from jaxlib.mlir import ir
from jaxlib.mlir.dialects import stablehlo


def main() -> None:
    """Answers the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", type=pathlib.Path, required=True)
    folder = parser.parse_args().program
    hlo = folder / "program.hlo.pb"
    (folder / "program.mlirbc").write_bytes(portable(hlo.read_bytes()))
    hlo.unlink()


def portable(hlo: bytes) -> bytes:
    """A serialised `HloModuleProto` as a StableHLO artifact."""
    version = stablehlo.get_version_from_compatibility_requirement(
        stablehlo.StablehloCompatibilityRequirement.WEEK_12
    )
    with mlir.make_ir_context():
        module = ir.Module.parse(_jax.mlir.hlo_to_stablehlo(hlo))
        return stablehlo.serialize_portable_artifact(module, version)


if __name__ == "__main__":
    main()
