"""Runs and times exported training steps by JAX, and the same steps by PyTorch.

From the root of the checkout, with what `export.py` wrote:

python -m tools.gpu_step.run --steps=build/gpu_step --output=build/gpu_step_result

It needs jax or torch, or both, and no TensorFlow. Each works in a process of its own,
in turns on the same device. What fails or finds no time is said in the table, and the
rest goes on. The output folder holds `result.json`, `result.md` and the logs.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from tools.gpu_step.report import table
from tools.gpu_step.workers import Worker

# The forms of the peer that stand beside each form of ours, see `torch_step.py`.
_PEER_FORMS = {
    "views in the step": ("views, one draw a batch", "views, image by image"),
    "without views": ("without views",),
}
# Longest times that importing a framework, preparing a step, and a turn beyond its
# length may take.
_START_SECONDS = 60.0
_SET_UP_SECONDS = 150.0
_TURN_SECONDS = 30.0
_NO_TIME = "no time was left"


class Contender:
    """One row: a form of a case's step, by JAX or by PyTorch."""

    def __init__(
        self, case: dict[str, Any], by: str, form: str, asks: dict[str, str]
    ) -> None:
        self.asks = asks
        self.row: dict[str, Any] = {
            "case": case["name"],
            "by": by,
            "form": form,
            "images_per_step": case["batch_size"],
            "flops_per_step": case["flops_per_step"],
            "turns": [],
        }

    def note(self, answer: dict[str, Any]) -> bool:
        """Keeps an answer; false where it is a failure."""
        if "seconds" in answer:
            self.row["turns"].append(answer)
        else:
            self.row.update(answer)
        return "failed" not in answer


class Race:
    """All cases, one after the other, within a budget of seconds.

    Args:
      asked: of the command line, see `main`.
    """

    def __init__(self, asked: argparse.Namespace) -> None:
        self.asked = asked
        self.deadline = time.monotonic() + asked.budget
        self.manifest = json.loads((asked.steps / "manifest.json").read_text())
        self.rows: list[dict[str, Any]] = []
        self.result: dict[str, Any] = {
            "what": "XLA's program of simclr_tf's training step, run by JAX. "
            "TensorFlow itself did not run here.",
            "exported_by": {k: self.manifest[k] for k in ("simclr_tf", "tensorflow")},
            "card": _card(),
            "workers": {},
            "rows": self.rows,
        }
        self.asked.output.mkdir(parents=True, exist_ok=True)

    def left(self, most: float = float("inf")) -> float:
        """Seconds left, and no more than `most`."""
        return min(most, self.deadline - time.monotonic())

    def run(self) -> None:
        """Measures all cases and writes the result after each."""
        names = self.asked.cases and self.asked.cases.split(",")
        for case in self.manifest["cases"]:
            if not names or case["name"] in names:
                try:
                    self.run_case(case)
                except Exception as error:  # one case must not end the others
                    traceback.print_exc()
                    self.rows.append(_broken(case, error))
                self.write()

    def run_case(self, case: dict[str, Any]) -> None:
        """Measures both sides in turns; alone, where memory is too little for both."""
        sides = self._prepare_jax, self._prepare_torch
        before = len(self.rows)
        self._measure(case, sides)
        rows = self.rows[before:]
        for by, side in zip(("JAX", "PyTorch"), sides):
            if any(row["by"] == by and _out_of_memory(row) for row in rows):
                before = len(self.rows)
                self._measure(case, [side])
                for row in self.rows[before:]:
                    row["by"] += ", alone"

    def _measure(self, case: dict[str, Any], sides: Sequence[Callable]) -> None:
        """Prepares sides, lets them take turns, and ends them."""
        workers: list[Worker] = []
        ready: list[tuple[Contender, Worker]] = []
        try:
            for prepare in sides:
                ready += prepare(case, workers)
                self.write()
            for _ in range(self.asked.rounds):
                for contender, worker in list(ready):
                    answer = self._turn(contender, worker)
                    if not contender.note(answer):
                        ready.remove((contender, worker))
        finally:
            for worker in workers:
                worker.stop()

    def _turn(self, contender: Contender, worker: Worker) -> dict[str, Any]:
        seconds = self.asked.turn_seconds
        if self.left() < 2 * seconds:
            return {"failed": "no time was left for more turns"}
        most = self.left(seconds + _TURN_SECONDS)
        return worker.ask("turn", most, seconds=seconds, **contender.asks)

    def _prepare_jax(
        self, case: dict[str, Any], workers: list[Worker]
    ) -> list[tuple[Contender, Worker]]:
        contenders = [
            Contender(case, "JAX", form, {"program": program})
            for form, program in case["programs"].items()
        ]
        arguments = [str(self.asked.steps.resolve())]
        start = self._starter("jax_side", case, arguments, workers)
        ready = self._prepare(contenders, start)
        for contender, worker in ready if case["checked"] else ():
            answer = worker.ask("check", self.left(_SET_UP_SECONDS), **contender.asks)
            contender.row["check"] = answer
        return ready

    def _prepare_torch(
        self, case: dict[str, Any], workers: list[Worker]
    ) -> list[tuple[Contender, Worker]]:
        if case["peer"] is None:
            return []
        forms = [peer for form in case["programs"] for peer in _PEER_FORMS[form]]
        prepared = []
        for how in ("compiled", "eager"):
            contenders = [
                Contender(case, "PyTorch", form, {"form": form}) for form in forms
            ]
            arguments = [json.dumps(case), how]
            start = self._starter("torch_side", case, arguments, workers)
            prepared = self._prepare(contenders, start)
            # Only what compiling may have spoilt is worth a second try.
            if prepared or not all(_may_go_eager(c.row) for c in contenders):
                break
        return prepared

    def _starter(
        self,
        module: str,
        case: dict[str, Any],
        arguments: Sequence[str],
        workers: list[Worker],
    ) -> Callable[[], Worker]:
        log = self.asked.output / f"{module}-{case['name']}.log"

        def start() -> Worker:
            workers.append(Worker(f"tools.gpu_step.{module}", arguments, log))
            return workers[-1]

        return start

    def _prepare(
        self, contenders: Sequence[Contender], start: Callable[[], Worker]
    ) -> list[tuple[Contender, Worker]]:
        """Those that are ready for turns; of the others their row says why not."""
        self.rows += [contender.row for contender in contenders]
        if self.left() < 2 * self.asked.turn_seconds:
            for contender in contenders:
                contender.note({"failed": _NO_TIME})
            return []
        worker = start()
        machine = worker.ask("describe", self.left(_START_SECONDS))
        if "failed" in machine:
            for contender in contenders:
                contender.note(machine)
            return []
        self.result["workers"].setdefault(contenders[0].row["by"], machine)
        ready = []
        for contender in contenders:
            most = self.left(_SET_UP_SECONDS)
            if contender.note(worker.ask("set_up", most, **contender.asks)):
                ready.append((contender, worker))
        return ready

    def write(self) -> None:
        """Writes what is known by now."""
        output = self.asked.output
        (output / "result.json").write_text(json.dumps(self.result, indent=1))
        (output / "result.md").write_text(table(self.result))


def _broken(case: dict[str, Any], error: Exception) -> dict[str, Any]:
    failed = f"{type(error).__name__}: {error}"
    return {**Contender(case, "run.py", "all", {}).row, "failed": failed}


def _out_of_memory(row: dict[str, Any]) -> bool:
    return "out of memory" in row.get("failed", "").lower()


def _may_go_eager(row: dict[str, Any]) -> bool:
    failed = row.get("failed", "")
    hopeless = "No module named" in failed or failed == _NO_TIME
    return not (hopeless or _out_of_memory(row))


def _card() -> str:
    """What NVIDIA's own tool says of the card."""
    query = "--query-gpu=name,memory.total,power.limit,driver_version"
    try:
        said = subprocess.run(
            ["nvidia-smi", query, "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return "no NVIDIA card found"
    return said.strip().splitlines()[0]


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=pathlib.Path, required=True)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--cases", help="with commas; all of the manifest by default")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--turn_seconds", type=float, default=2.0)
    parser.add_argument("--budget", type=float, default=450.0, help="seconds in all")
    return parser.parse_args(arguments)


def main() -> None:
    """Measures and shows the table."""
    race = Race(parse())
    try:
        race.run()
    finally:
        race.write()
        sys.stdout.write((race.asked.output / "result.md").read_text())


if __name__ == "__main__":
    main()
