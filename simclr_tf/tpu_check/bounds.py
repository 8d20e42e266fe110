"""Least times of a step, from what it does and what a chip can do."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from simclr_tf.tpu_check.chips import Chip


@dataclasses.dataclass(frozen=True)
class CollectiveTotal:
    """All collectives of one kind and group size in a step.

    Attributes:
      kind: as HLO names it, "all-reduce".
      group: cores that take part in each together.
      count: how many.
      bytes: of their results on one core, all together.
    """

    kind: str
    group: int
    count: int
    bytes: int


@dataclasses.dataclass(frozen=True)
class Bounds:
    """Seconds that a step takes at least, were each part alone at its peak."""

    compute: float
    memory: float
    interconnect: float

    @property
    def seconds(self) -> float:
        """The largest of the three: the parts may overlap."""
        return max(self.compute, self.memory, self.interconnect)

    @property
    def limit(self) -> str:
        """Which of the three it is."""
        parts = dataclasses.asdict(self)
        return max(parts, key=lambda name: parts[name])


def bounds(
    chip: Chip,
    cores_per_chip: int,
    *,
    flops: float,
    hbm_bytes: float,
    collectives: Iterable[CollectiveTotal],
) -> Bounds:
    """Least times of a step.

    Args:
      chip: what it runs on.
      cores_per_chip: cores that share a chip's peaks.
      flops: floating-point operations of one core.
      hbm_bytes: what one core moves to and from its main memory.
      collectives: of one core.
    """
    sent = sum(least_sent(total, cores_per_chip) for total in collectives)
    return Bounds(
        compute=flops * cores_per_chip / chip.flops_per_second,
        memory=hbm_bytes * cores_per_chip / chip.hbm_bytes_per_second,
        interconnect=sent / chip.ici_bytes_per_second,
    )


def least_sent(total: CollectiveTotal, cores_per_chip: int) -> float:
    """Bytes that a chip sends to others at least.

    Cores of a chip combine what they hold without its links. Then of n chips each
    must send (n-1)/n of what it holds to scatter a sum, and as much again to gather
    it (Patarasuk and Yuan 2009).
    """
    chips = max(1.0, total.group / cores_per_chip)
    share = (chips - 1.0) / chips
    if total.kind == "all-reduce":
        return 2.0 * share * total.bytes
    if total.kind == "all-gather":
        return share * total.bytes
    if total.kind == "reduce-scatter":
        return share * total.bytes * total.group
    if total.kind in ("all-to-all", "ragged-all-to-all"):
        return share * total.bytes * cores_per_chip
    # A permutation may stay within chips, and a broadcast has one sender.
    return 0.0
