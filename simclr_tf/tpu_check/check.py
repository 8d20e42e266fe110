"""`tpu_check`: what the TPU compiler says of a recipe's training step."""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Callable, Iterable
from typing import Any

from simclr_tf.encoder import capabilities_of
from simclr_tf.errors import UserError
from simclr_tf.model import Learner
from simclr_tf.tpu_check import hlo_text
from simclr_tf.tpu_check.bounds import Bounds, CollectiveTotal, bounds
from simclr_tf.tpu_check.chips import Chip, chip_of
from simclr_tf.tpu_check.fake_tpu import StepRefused
from simclr_tf.tpu_check.hlo_text import Collective
from simclr_tf.tpu_check.program import feed_bytes, recipe_program
from simclr_tf.tpu_check.second_environment import (
    compile_for_tpu,
    describe,
    find_compiler,
)
from simclr_tf.training.build import build_model
from simclr_tf.training.recipe import ResolvedRecipe

NOT_PROVEN = (
    "It compiles and proves nothing more: not the numbers a TPU computes, not its "
    "speed, not the input feed, not the runtime."
)
_GIB = 2**30


class OutOfMemory(UserError):
    """A step needs more memory than a core has; the message says how much."""


@dataclasses.dataclass(frozen=True)
class TpuCheck:
    """What the TPU compiler says of a step; each figure is of one core.

    Attributes:
      topology: as asked for.
      chips: in the topology.
      cores: that take a step together, one replica each.
      batch_size: images of all cores together.
      augment_on: "host" or "device".
      planned_bytes: main memory the program plans to use: arguments, results that
        do not take an argument's place, temporaries and code.
      hbm_bytes: a core's main memory, as published.
      memory: the parts of `planned_bytes`, and `aliased`, the results that take an
        argument's place.
      flops: floating-point operations a step, as the compiler counts them.
      traffic_bytes: what a step's operations read from and write to main memory,
        without padding.
      bytes_accessed: the compiler's own count, padding and on-chip memory included.
      feed_bytes: what the host feeds a core for a step.
      collectives: of the compiled program, those of a kind together.
      sums_asked_for: sums over replicas in the traced step, before the compiler
        combined them.
      bounds: least times of a step.
      compile_seconds: the compiler's wall time.
      compiler: its version.
    """

    topology: str
    chips: int
    cores: int
    batch_size: int
    augment_on: str
    micro_batches: int
    planned_bytes: int
    hbm_bytes: int
    memory: dict[str, int]
    flops: float
    traffic_bytes: int
    bytes_accessed: float
    feed_bytes: int
    collectives: tuple[CollectiveTotal, ...]
    sums_asked_for: int
    bounds: Bounds
    compile_seconds: float
    compiler: str

    @property
    def images_per_second(self) -> float:
        """No more than this can be reached, of all cores together."""
        return self.batch_size / self.bounds.seconds

    def beyond(self, other: TpuCheck) -> str:
        """What this step needs beyond another, in words."""
        more_memory = (self.planned_bytes - other.planned_bytes) / _GIB
        parts = [
            f"{more_memory:+.2f} GiB a core",
            f"{self.flops / other.flops - 1:+.1%} FLOPs",
        ]
        parts.append(
            f"{self.traffic_bytes / other.traffic_bytes - 1:+.1%} memory traffic"
        )
        fed = (self.feed_bytes - other.feed_bytes) / 2**20
        parts.append(f"{fed:+.2f} MiB fed a core and step")
        slower = 1e3 * (self.bounds.seconds - other.bounds.seconds)
        parts.append(f"{slower:+.2f} ms to the least time")
        return ", ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain numbers that `json` writes, and what they do not prove."""
        return {
            **dataclasses.asdict(self),
            "limit": self.bounds.limit,
            "images_per_second_at_most": self.images_per_second,
            "not_proven": NOT_PROVEN,
        }

    def __str__(self) -> str:
        return "\n".join(f"{name:<26}{text}" for name, text in self._rows())

    def _pieces(self) -> list[tuple[str, str]]:
        if self.micro_batches == 1:
            return []
        said = (
            f"{self.micro_batches}, one per turn of a loop; FLOPs, collectives and "
            "times count one turn, and a step has more"
        )
        return [("micro batches", said)]

    def _rows(self) -> list[tuple[str, str]]:
        per_core = self.batch_size // self.cores
        rows = [
            (
                "machine",
                f"{self.topology}: {self.chips} chips, {self.cores} cores, {per_core} "
                "images each",
            ),
            ("augmentation", f"on the {self.augment_on}"),
            *self._pieces(),
            (
                "planned memory",
                f"{self.planned_bytes / _GIB:.2f} GiB a core, "
                f"{self.planned_bytes / self.hbm_bytes:.0%} of its "
                f"{self.hbm_bytes / _GIB:g} GiB",
            ),
            ("FLOPs", f"{self.flops / 1e12:.4g} T a core and step"),
            ("fed by the host", f"{self.feed_bytes / 2**20:.2f} MiB a core and step"),
        ]
        for total in self.collectives:
            rows.append(
                (
                    "collectives",
                    f"{total.count} {total.kind} over {total.group} cores, "
                    f"{total.bytes / 2**20:.2f} MiB a core and step "
                    f"({self.sums_asked_for} sums asked for)",
                )
            )
        for name, seconds in dataclasses.asdict(self.bounds).items():
            rows.append((f"at least, by {name}", f"{1e3 * seconds:.2f} ms a step"))
        rows.append(
            (
                "so at most",
                f"{self.images_per_second:,.0f} images/s, by {self.bounds.limit}",
            )
        )
        return rows


def tpu_check(
    recipe: ResolvedRecipe,
    topology: str,
    *,
    input_size: int | None = None,
    num_classes: int | None = None,
    compiler_python: str | None = None,
    make_model: Callable[..., Learner] = build_model,
) -> TpuCheck:
    """Compiles a recipe's training step for a TPU topology; no TPU is needed.

    The model's own `train_step` is traced through a `TPUStrategy` (see `fake_tpu`),
    exported as HLO and compiled by libtpu for every core of the topology.

    Args:
      recipe: all settings; its `batch_size` is that of all cores together. With
        `augment_on="device"` the step makes the views itself.
      topology: a generation and the chips of a slice, as "v3:8x8".
      input_size: side in pixels of the images that a step which augments crops;
        by default see `program.recipe_program`.
      num_classes: classes of the online probe, or None for no probe.
      compiler_python: see `second_environment.find_compiler`.
      make_model: makes the model, as `build_model` does from its arguments.

    Raises:
      UserError: where the topology is not known, or its cores do not divide the
        batch.
      CompilerMissing: where there is no environment with jax and libtpu.
      StepRefused: where the step holds what no TPU runs.
      OutOfMemory: where it needs more memory than a core has.
    """
    chip = chip_of(topology)
    python = find_compiler(compiler_python)
    machine = describe(python, topology)
    if "refused" in machine:
        raise UserError(
            f"{topology!r} is no slice of {chip.name}: {_brief(machine['refused'])}"
        )
    program = recipe_program(
        recipe,
        machine["devices"],
        input_size=input_size,
        num_classes=num_classes,
        make_model=make_model,
    )
    answer = compile_for_tpu(python, topology, program)
    if "refused" in answer:
        raise _refusal(answer["refused"], recipe, machine["devices"])
    return _result(
        answer,
        chip,
        topology=topology,
        batch_size=recipe.batch_size,
        augment_on=recipe.augment_on,
        micro_batches=recipe.micro_batches,
        feed_bytes=feed_bytes(program.inputs),
        sums_asked_for=program.operations["CrossReplicaSum"],
    )


def _result(answer: dict[str, Any], chip: Chip, **known: Any) -> TpuCheck:
    cores_per_chip = answer["devices"] // answer["chips"]
    totals = _totals(hlo_text.collectives(answer["hlo"], answer["devices"]))
    traffic = hlo_text.main_memory_traffic(answer["hlo"])
    memory = answer["memory"]
    planned = sum(memory.values()) - 2 * memory["aliased"]
    return TpuCheck(
        chips=answer["chips"],
        cores=answer["devices"],
        planned_bytes=planned,
        hbm_bytes=chip.hbm_bytes // cores_per_chip,
        memory=memory,
        flops=answer["flops"],
        traffic_bytes=traffic,
        bytes_accessed=answer["bytes_accessed"],
        collectives=totals,
        bounds=bounds(
            chip,
            cores_per_chip,
            flops=answer["flops"],
            hbm_bytes=traffic,
            collectives=totals,
        ),
        compile_seconds=answer["compile_seconds"],
        compiler=answer["compiler"],
        **known,
    )


def _totals(collectives: Iterable[Collective]) -> tuple[CollectiveTotal, ...]:
    """Collectives of a kind and group size put together."""
    grouped = collections.defaultdict(list)
    for collective in collectives:
        grouped[collective.kind, collective.group].append(collective.bytes)
    return tuple(
        CollectiveTotal(kind, group, len(sizes), sum(sizes))
        for (kind, group), sizes in sorted(grouped.items())
    )


def _refusal(message: str, recipe: ResolvedRecipe, cores: int) -> ValueError:
    """The error that a compiler's refusal is."""
    if "RESOURCE_EXHAUSTED" in message:
        found = re.search(
            r"\(([\d.]+[KMGT])\) exceeds available HBM \(([\d.]+\w)", message
        )
        found = found or re.search(r"Used ([\d.]+[KMGT]) of ([\d.]+[KMGT])", message)
        sizes = f"it needs {found[1]} of {found[2]}" if found else _brief(message)
        can = capabilities_of(recipe.encoder).can_rematerialize
        recompute = can and not recipe.rematerialize
        return OutOfMemory(
            f"the step does not fit a core's memory with {recipe.batch_size // cores} "
            f"images: {sizes}. Lower --batch_size or use more chips"
            f"{', or --rematerialize' if recompute else ''}"
            f"{', or --micro_batches' if recipe.micro_batches == 1 else ''}"
            f"{', or --precision=bfloat16' if recipe.precision == 'float32' else ''}."
        )
    return StepRefused(f"the TPU compiler refuses the step: {_brief(message)}")


def _brief(message: str) -> str:
    """A compiler's account on one line, without its stack and advice."""
    return " ".join(message.split())[:300]
