"""Images/s and memory of pretraining by count of replicas, as a Markdown table.

Replicas are cuts of one CPU, which share its cores: the table shows what being
several costs, not what it gains.

  python experiments/scaling.py RUNS_FOLDER [--flag=value …]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence

REPLICAS = (1, 2, 4, 8)


def main(folder: str, flags: Sequence[str]) -> None:
    """Trains two epochs for each count of replicas; prints the table's rows."""
    print("| replicas | images/s | peak memory, GiB |")
    print("|---|---|---|")
    for replicas in REPLICAS:
        run = os.path.join(folder, f"replicas{replicas}")
        command = [sys.executable, "-m", "simclr_tf", "pretrain", f"--run={run}"]
        command += [f"--logical_devices={replicas}", "--epochs=2", *flags]
        with open(os.path.join(folder, f"replicas{replicas}.txt"), "w") as said:
            process = subprocess.Popen(command, stdout=said, stderr=said)
            _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{' '.join(command)} failed: see {said.name}")
        with open(os.path.join(run, "metrics.jsonl")) as file:
            last = [json.loads(line) for line in file][-1]
        print(
            f"| {replicas} | {last['images_per_second']:,.0f} "
            f"| {usage.ru_maxrss / 2**20:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    os.makedirs(sys.argv[1], exist_ok=True)
    main(sys.argv[1], sys.argv[2:])
