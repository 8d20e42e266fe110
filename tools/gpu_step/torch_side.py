"""Runs the same training step by PyTorch, on whatever device it finds.

A worker of `run.py`, for an environment that holds torch and no TensorFlow.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from tools.gpu_step import torch_step
from tools.gpu_step.answering import answer

# Batches that take turns as the input of steps.
_BATCHES = 4
_WARM_UP_STEPS = 3


class Worker:
    """Answers `run.py`; see `answering`.

    Args:
      case: of the manifest.
      compiled: whether the step goes through `torch.compile`.
    """

    def __init__(self, case: dict[str, Any], compiled: bool) -> None:
        self.case = case
        self.compiled = compiled
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model: Any = None
        self.step: Any = None
        self.runs: dict[str, Callable[[int], torch.Tensor]] = {}

    def describe(self) -> dict[str, Any]:
        """The version and the device."""
        on_gpu = self.device.type == "cuda"
        return {
            "version": f"PyTorch {torch.__version__}",
            "device": torch.cuda.get_device_name() if on_gpu else "cpu",
            "platform": "gpu" if on_gpu else "cpu",
        }

    def set_up(self, form: str) -> dict[str, Any]:
        """Prepares one form of the step and takes its first steps."""
        began = time.monotonic()
        peer = self.case["peer"]
        if self.step is None:
            self.model, self.step = torch_step.make_step(
                peer, self.device, compiled=self.compiled
            )
        self.runs[form] = self._run_of(form)
        loss = self._take(form, _WARM_UP_STEPS)
        self._give_back_memory()
        return {
            "set_up_seconds": time.monotonic() - began,
            "encoder": self.model.whose,
            "compiled": self.compiled,
            "first_loss": loss,
        }

    def turn(self, form: str, seconds: float) -> dict[str, Any]:
        """Takes steps for about so many seconds."""
        on_gpu = self.device.type == "cuda"
        began = time.perf_counter()
        self._take(form, 2)
        each = (time.perf_counter() - began) / 2
        count = max(2, round(seconds / each))
        if on_gpu:
            torch.cuda.reset_peak_memory_stats()
        began = time.perf_counter()
        loss = self._take(form, count)
        elapsed = time.perf_counter() - began
        peak = torch.cuda.max_memory_allocated() if on_gpu else None
        self._give_back_memory()
        return {
            "seconds": elapsed / count,
            "steps": count,
            "loss": loss,
            "peak_bytes": peak,
        }

    def _run_of(self, form: str) -> Callable[[int], torch.Tensor]:
        """One step with the batch of a number."""
        peer, channels_last = self.case["peer"], torch.channels_last
        size, count = peer["image_size"], peer["batch_size"]
        batches = []
        if form == torch_step.NO_VIEWS:
            for _ in range(_BATCHES):
                views = torch.rand(2 * count, 3, size, size, device=self.device)
                batches.append(views.contiguous(memory_format=channels_last))
            return lambda number: self.step(batches[number % _BATCHES])
        make_views = torch_step.make_views(peer, form)
        shape = (count, 3, self.case["input_size"], self.case["input_size"])
        for _ in range(_BATCHES):
            images = torch.randint(0, 256, shape, dtype=torch.uint8, device=self.device)
            batches.append(images)
        return lambda number: self.step(make_views(batches[number % _BATCHES]))

    def _take(self, form: str, count: int) -> float:
        """Takes steps to their end, and gives the loss of the last."""
        for number in range(count):
            loss = self.runs[form](number)
        return float(loss)

    def _give_back_memory(self) -> None:
        """Memory that PyTorch keeps for later is for the other side to use."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


if __name__ == "__main__":
    worker = Worker(json.loads(sys.argv[1]), compiled=sys.argv[2] == "compiled")
    names = ("describe", "set_up", "turn")
    answer({name: getattr(worker, name) for name in names})
