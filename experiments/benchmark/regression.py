"""Memory and time of logistic regression on features that stay in a file.

.venv/bin/python experiments/benchmark/regression.py --rows=200000 --width=2048

Features are drawn, in float32, into a file in --folder; the penalty is one, where
`simclr linear_eval` tries five and then fits once more. Prints a line of JSON: seconds,
top-1 on 2,000 further rows, and the peak of this process's memory in GB, once with the
pages of the mapped file, which the system takes back when it needs them, and once
without.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import threading
import time

import numpy as np

from simclr_tf.evaluation import linear_probe

_TESTED = 2_000
_AT_ONCE = 4_096


def _draw(h: np.ndarray, y: np.ndarray, means: np.ndarray, seed: int) -> None:
    """Fills the features: the mean of each row's class, and noise."""
    generator = np.random.default_rng(seed)
    for begin in range(0, len(h), _AT_ONCE):
        part = h[begin : begin + _AT_ONCE]
        part[:] = generator.standard_normal(part.shape, np.float32)
        part += means[y[begin : begin + _AT_ONCE]]


class _Peak(threading.Thread):
    """The peak of memory that is no page of a file, looked at ten times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.gigabytes = 0.0

    def run(self) -> None:
        while True:
            with open("/proc/self/status") as file:
                status = dict(line.split(":", 1) for line in file)
            own = int(status["RssAnon"].split()[0]) / 1e6
            self.gigabytes = max(self.gigabytes, own)
            time.sleep(0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--width", type=int, default=2_048)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--max_iter", type=int, default=1_000)
    parser.add_argument("--folder", default=tempfile.gettempdir())
    arguments = parser.parse_args()
    generator = np.random.default_rng(0)
    means = 0.1 * generator.standard_normal(
        [arguments.classes, arguments.width], np.float32
    )
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        shape = (arguments.rows, arguments.width)
        path = os.path.join(folder, "features")
        train_h = np.memmap(path, np.float32, "w+", shape=shape)
        train_y = generator.integers(0, arguments.classes, arguments.rows)
        test_h = np.empty([_TESTED, arguments.width], np.float32)
        test_y = generator.integers(0, arguments.classes, _TESTED)
        _draw(train_h, train_y, means, 1)
        _draw(test_h, test_y, means, 2)
        peak = _Peak()
        peak.start()
        result = linear_probe(
            train_h,
            train_y,
            test_h,
            test_y,
            regularization=[1e-3],
            max_iter=arguments.max_iter,
            in_blocks=True,
        )
    found = {
        "rows": arguments.rows,
        "width": arguments.width,
        "classes": arguments.classes,
        "seconds": round(result.seconds, 1),
        "top1": result.top1,
        "converged": result.converged,
        "peak_gb_with_pages_of_the_file": round(
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2
        ),
        "peak_gb": round(peak.gigabytes, 2),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
