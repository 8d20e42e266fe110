"""Measuring in a process of its own, whose memory is no other work's."""

from __future__ import annotations

import contextlib
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from statistics import median
from typing import Any

from simclr_tf.benchmark.timing import seconds_of


def measure_apart(module: str, *arguments: object) -> dict[str, float]:
    """What `python -m module *arguments` prints in its last line, as JSON.

    Raises:
      RuntimeError: where it fails, with the end of what it said.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{ran.stderr[-2000:]}")
    return json.loads(ran.stdout.splitlines()[-1])


def time_and_peak(run: Callable[[], Any], repeats: int) -> dict[str, float]:
    """Median seconds of `run`, and by how many GiB it raised the process' memory."""
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # The most that was ever held is what is held now.
    before = _most_memory()
    seconds = median(seconds_of(run) for _ in range(repeats))
    return {"seconds": seconds, "peak_gib": _most_memory() - before}


def _most_memory() -> float:
    """GiB that this program held at most; `getrusage` counts its parent's too."""
    try:
        with open("/proc/self/status") as file:
            lines = [line for line in file if line.startswith("VmHWM")]
        return int(lines[0].split()[1]) / 2**20
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
