"""What a compiled program's HLO text says of its collectives and its memory traffic."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

COLLECTIVES = (
    "all-reduce",
    "all-gather",
    "reduce-scatter",
    "all-to-all",
    "ragged-all-to-all",
    "collective-permute",
    "collective-broadcast",
)

_BITS = {"pred": 8, "token": 0, "opaque": 0}
# "  %name = TYPE opcode(%operand, …), attributes"; TYPE may be a tuple.
_INSTRUCTION = re.compile(
    r"^\s*(?:ROOT )?%(?P<name>[\w.-]+) = (?P<type>\(.*?\)|\S+) (?P<opcode>[a-z][\w-]*)"
    r"\((?P<operands>[^)]*)\)(?P<rest>.*)$"
)
_ARRAY = re.compile(r"([a-z]\w*)\[([\d,]*)\](?:\{([^}]*)\})?")
_GROUPS = re.compile(r"replica_groups=(?:\{\{([\d,]*)\}|\[(\d+),(\d+)\])")
# These move nothing by themselves, or what they move is counted at their start.
_FREE = {
    *("parameter", "constant", "tuple", "get-tuple-element", "bitcast", "while"),
    *("conditional", "call", "after-all", "partition-id", "replica-id", "iota"),
}


class Instruction(NamedTuple):
    """One line of a computation."""

    name: str
    type: str
    opcode: str
    operands: tuple[str, ...]
    rest: str


class Collective(NamedTuple):
    """One collective of a step: its kind, bytes of its result, and group size."""

    kind: str
    bytes: int
    group: int


def instructions(text: str) -> Iterator[Instruction]:
    """The instructions of all lines of HLO text."""
    for line in text.splitlines():
        found = _INSTRUCTION.match(line)
        if found:
            operands = re.findall(r"%([\w.-]+)", found["operands"])
            yield Instruction(
                found["name"],
                found["type"],
                found["opcode"],
                tuple(operands),
                found["rest"],
            )


def size(type_text: str, *, main_memory_only: bool = False) -> int:
    """Bytes of an HLO type without padding, of a tuple the sum of its parts.

    Args:
      type_text: such as `f32[8,2]{1,0:T(8,128)}` or `(f32[2], bf16[3])`.
      main_memory_only: leaves out what the layout places in another memory than the
        chip's HBM (`S(1)` and the like).
    """
    total = 0
    for kind, dimensions, layout in _ARRAY.findall(type_text):
        if main_memory_only and re.search(r"S\([1-9]", layout):
            continue
        digits = re.search(r"\d+", kind)  # c64 holds 64 bits in all.
        bits = _BITS[kind] if kind in _BITS else int(digits[0]) if digits else 0
        elements = 1
        for dimension in filter(None, dimensions.split(",")):
            elements *= int(dimension)
        total += (elements * bits + 7) // 8
    return total


def collectives(text: str, replicas: int) -> list[Collective]:
    """Every collective of a program, asynchronous ones once.

    Args:
      text: HLO of all its computations.
      replicas: devices that run it, the size of a group that names none.
    """
    found = []
    for instruction in instructions(text):
        kind = instruction.opcode.removesuffix("-start")
        if kind not in COLLECTIVES:
            continue
        groups = _GROUPS.search(instruction.rest)
        group = replicas
        if groups and groups[1]:
            group = groups[1].count(",") + 1
        elif groups and groups[3]:
            group = int(groups[3])
        moved = size(instruction.type)
        if instruction.opcode == "all-gather-start":
            # Its type lists what goes in before what comes out.
            moved = moved * group // (group + 1)
        elif instruction.opcode == "collective-permute-start":
            moved //= 2
        found.append(Collective(kind, moved, group))
    return found


def main_memory_traffic(text: str) -> int:
    """Bytes that a scheduled program reads from and writes to HBM in one run.

    Sums what each operation of the entry computation takes and gives, without the
    padding of tiles and without what lies in on-chip memory; bodies of loops are
    left out. What a program moves is no less, up to operations that read a part
    of what they are given.
    """
    entry = text[text.index("\nENTRY") :]
    types: dict[str, int] = {}
    traffic = 0
    for instruction in instructions(entry):
        here = size(instruction.type, main_memory_only=True)
        types[instruction.name] = here
        if instruction.opcode in _FREE or instruction.opcode.endswith("-done"):
            continue
        read = sum(types.get(operand, 0) for operand in instruction.operands)
        if instruction.opcode.endswith("-start"):
            # Its type repeats its operands.
            here = max(here - read, 0)
        traffic += read + here
    return traffic
