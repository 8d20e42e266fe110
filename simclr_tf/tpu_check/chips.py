"""Published figures of TPU generations."""

from __future__ import annotations

import dataclasses
import re

from simclr_tf.errors import UserError


@dataclasses.dataclass(frozen=True)
class Chip:
    """One chip of a generation, as published; cores share it equally.

    Attributes:
      name: as in a topology, "v3".
      hbm_bytes: capacity of its main memory.
      flops_per_second: peak of bfloat16 matrix products.
      hbm_bytes_per_second: peak of its main memory.
      ici_bytes_per_second: peak of all its links to other chips together, in one
        direction.
      source: where the figures are published.
    """

    name: str
    hbm_bytes: int
    flops_per_second: float
    hbm_bytes_per_second: float
    ici_bytes_per_second: float
    source: str


_GIB = 2**30
_CACM = "Jouppi et al. 2020, A domain-specific supercomputer for training DNNs, table 3"
_ISCA = "Jouppi et al. 2023, TPU v4, table 4: 6 links of 50 GB/s"
_DOCS = "docs.cloud.google.com/tpu/docs/{}, interconnect halved to one direction"

CHIPS: dict[str, Chip] = {
    chip.name: chip
    for chip in (
        Chip("v2", 16 * _GIB, 46e12, 700e9, 4 * 496e9 / 8, _CACM),
        Chip("v3", 32 * _GIB, 123e12, 900e9, 4 * 656e9 / 8, _CACM),
        Chip("v4", 32 * _GIB, 275e12, 1200e9, 6 * 50e9, _ISCA),
        Chip("v5e", 16 * _GIB, 197e12, 819e9, 200e9, _DOCS.format("v5e")),
        Chip("v5p", 95 * _GIB, 459e12, 2765e9, 600e9, _DOCS.format("v5p")),
        Chip("v6e", 32 * _GIB, 918e12, 1638e9, 400e9, _DOCS.format("v6e")),
    )
}


def chip_of(topology: str) -> Chip:
    """The chip that a topology such as "v3:8x8" is made of.

    Raises:
      UserError: where the topology is not written like that, or its generation is
        not known.
    """
    found = re.fullmatch(r"(\w+):\d+x\d+(x\d+)?", topology)
    if not found or found[1] not in CHIPS:
        raise UserError(
            f"topology must be a generation ({', '.join(CHIPS)}) and the chips of a "
            "slice along each axis, such as v3:8x8, v5e:4x4 or v4:2x2x1, got "
            f"{topology!r}."
        )
    return CHIPS[found[1]]
