"""Runs of `simclr` one after the other, several at a time, each on its cores."""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import pathlib
import queue
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence

PROGRAM = (sys.executable, "-m", "simclr_tf")
RESULT = "result.json"  # of a run

Launch = Callable[[Sequence[str], pathlib.Path, Sequence[int]], int]


def launch(arguments: Sequence[str], log: pathlib.Path, cores: Sequence[int]) -> int:
    """Runs `simclr` with arguments on some cores; its exit status."""
    with open(log, "a") as output:
        process = subprocess.Popen(
            [*PROGRAM, *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        # Before TensorFlow is imported, which counts the cores that it has.
        os.sched_setaffinity(process.pid, cores)
        return process.wait()


class Failed(Exception):
    """A command failed; the message says which, and where its output is."""


class Commands:
    """Runs commands, several at a time, each on its share of the cores.

    Args:
      jobs: commands at a time, at most as many as there are cores.
      launch: runs one.
    """

    def __init__(self, jobs: int, launch: Launch) -> None:
        cores = sorted(os.sched_getaffinity(0))
        if not 1 <= jobs <= len(cores):
            raise SystemExit(f"--jobs must be 1 to {len(cores)}, the cores, got {jobs}")
        self._jobs = jobs
        self._launch = launch
        self._shares: queue.Queue = queue.Queue()
        for first in range(jobs):
            self._shares.put(cores[first::jobs])

    def each(self, sequences: Iterable[tuple[pathlib.Path, list[list[str]]]]) -> None:
        """Runs sequences of commands, each sequence with a file for its output.

        Raises:
          SystemExit: where some failed, after the others have ended.
        """
        failures = []
        with concurrent.futures.ThreadPoolExecutor(self._jobs) as executor:
            futures = [executor.submit(self._run, *each) for each in sequences]
            try:
                for future in concurrent.futures.as_completed(futures):
                    if future.exception() is not None:
                        failures.append(str(future.exception()))
                        print(failures[-1], file=sys.stderr, flush=True)
            except KeyboardInterrupt:
                executor.shutdown(cancel_futures=True)
                raise SystemExit("Stopped; the same command goes on.") from None
        if failures:
            raise SystemExit("\n".join(failures))

    def _run(self, log: pathlib.Path, commands: list[list[str]]) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        cores = self._shares.get()
        try:
            for arguments in commands:
                command = shlex.join(["simclr", *arguments])
                print(command, flush=True)
                if self._launch(arguments, log, cores):
                    raise Failed(f"{command} failed: see {log}")
        finally:
            self._shares.put(cores)


def result_of(run: pathlib.Path) -> dict:
    """What a finished run says of itself; nothing of one that has not finished."""
    path = run / RESULT
    return json.loads(path.read_text()) if path.exists() else {}


def numbers(text: str) -> tuple[int, ...]:
    """Whole numbers with commas between, of a command line."""
    return tuple(int(each) for each in text.split(","))


def runs_parser(description: str | None) -> argparse.ArgumentParser:
    """Of `RUNS_FOLDER NAME=DATASET …` with --seeds and --jobs; for `parsed`."""
    made = argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("folder", metavar="RUNS_FOLDER")
    made.add_argument("datasets", metavar="NAME=DATASET", nargs="+")
    made.add_argument("--seeds", type=numbers, default=(0, 1, 2), help="with commas")
    made.add_argument(
        "--jobs",
        type=int,
        default=min(2, len(os.sched_getaffinity(0))),
        help="runs at a time, which share the cores",
    )
    return made


def parsed(
    parser: argparse.ArgumentParser, arguments: Sequence[str], names: Iterable[str]
) -> tuple[argparse.Namespace, list[str]]:
    """Options of a `runs_parser`, their datasets by name, and flags it does not know.

    Args:
      parser: that parses them.
      arguments: of the command line.
      names: that a dataset may have.
    """
    options, flags = parser.parse_known_args(arguments)
    names, datasets = tuple(names), {}
    for each in options.datasets:
        name, _, dataset = each.partition("=")
        if name not in names or name in datasets or not dataset:
            known = ", ".join(names)
            parser.error(f"a dataset is one of {known}, once, = DATASET: {each}")
        datasets[name] = dataset
    options.datasets = datasets
    return options, flags
