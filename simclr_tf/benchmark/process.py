"""Measuring in a separate process, so that no other work counts in its memory."""

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
    """Runs `python -m module *arguments` and parses its last line as JSON.

    Raises:
      OSError: where it fails; the message holds the last line that it printed.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        said = ran.stderr.strip().rpartition("\n")[2]
        reason = said or f"exit status {ran.returncode}, perhaps for lack of memory"
        raise OSError(f"{' '.join(command)} failed: {reason}")
    return json.loads(ran.stdout.splitlines()[-1])


def time_and_peak(run: Callable[[], Any], repeats: int) -> dict[str, float]:
    """Median seconds of `run`, and by how many GiB it raised the process' memory.

    The memory is measured in the first run, which is not timed: later runs would reuse
    the memory that the first one allocated.
    """
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # Resets the peak to what is held now.
    before = _most_memory()
    run()
    peak = _most_memory() - before
    seconds = median(seconds_of(run) for _ in range(repeats))
    return {"seconds": seconds, "peak_gib": peak}


def _most_memory() -> float:
    """The peak memory of this process in GiB; `getrusage` may count its parent's."""
    with contextlib.suppress(OSError), open("/proc/self/status") as file:
        for line in file:
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
