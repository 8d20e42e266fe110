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


def measure_apart(module: str, *arguments: object) -> dict[str, Any]:
    """What `python -m module *arguments` prints in its last line, as JSON.

    Raises:
      OSError: where it fails, with the last it said.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        said = ran.stderr.strip().rpartition("\n")[2]
        reason = said or f"exit status {ran.returncode}, of too little memory perhaps"
        raise OSError(f"{' '.join(command)} failed: {reason}")
    return json.loads(ran.stdout.splitlines()[-1])


def time_and_peak(run: Callable[[], Any], repeats: int) -> dict[str, float]:
    """Median seconds of `run`, and by how many GiB it raised the process' memory.

    Memory is that of a run before those that are timed, which makes all ready: later
    ones would find what it left to be used again.
    """
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # The most that was ever held is what is held now.
    before = _most_memory()
    run()
    peak = _most_memory() - before
    seconds = median(seconds_of(run) for _ in range(repeats))
    return {"seconds": seconds, "peak_gib": peak}


def _most_memory() -> float:
    """GiB that this program held at most; `getrusage` counts its parent's too."""
    with contextlib.suppress(OSError), open("/proc/self/status") as file:
        for line in file:
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
