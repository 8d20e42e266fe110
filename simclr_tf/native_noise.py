"""Drops TensorFlow's notices from what a command writes to stderr.

TensorFlow's C++ code writes some lines to file descriptor 2 before any setting of its
own can stop it. A second process reads that descriptor and passes on all other lines.
It lives until no process can write to the descriptor any more, so that the last lines
come through even in a crash. Python's own stderr bypasses it and is still the terminal.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import re
import select
import signal
import subprocess
import sys

_PREFIX = rb"(I\d{4} [\d:.]+ +\d+ [\w./-]+:\d+\] |[\d-]+ [\d:.]+: I .*?:\d+\] )"
_NOISE = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog\(\) is called are written"
    rb" to STDERR"
    rb"|" + _PREFIX + rb"(Compiled cluster using XLA!"
    rb"|Could not find cuda drivers"
    rb"|oneDNN custom operations are on"
    rb"|This TensorFlow binary is optimized"
    rb"|To enable the following instructions"
    rb"|XLA service 0x[0-9a-f]+ initialized"
    rb"|  StreamExecutor device"
    rb"|Created device "
    rb"|Loaded cuDNN version).*"
)
# Seconds after which an unfinished line is passed on.
_PATIENCE = 0.2


def start() -> None:
    """Begins to drop the notices, once, in the process of a command.

    TF_CPP_MIN_LOG_LEVEL=0 asks for all that TensorFlow says, and has it.
    """
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0" or not sys.executable:
        return
    # When a container's first process ends, all its other processes are killed.
    if os.getpid() == 1:
        return
    try:
        terminal = os.dup(2)
        encoding, errors = sys.stderr.encoding, sys.stderr.errors
    except (OSError, AttributeError):
        return  # Nobody reads stderr.
    reading, writing = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", os.path.abspath(__file__)],
            stdin=reading,
            stdout=terminal,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in the terminal must not end it.
        )
    except OSError:
        os.close(writing)
        os.close(terminal)
        return
    finally:
        os.close(reading)
    os.dup2(writing, 2)
    os.close(writing)
    sys.stderr.flush()
    sys.stderr = io.TextIOWrapper(
        os.fdopen(terminal, "wb", 0),
        encoding=encoding,
        errors=errors,
        write_through=True,
    )
    atexit.register(_finish, process, terminal)


def _finish(process: subprocess.Popen, terminal: int) -> None:
    """Waits until everything that was written has been passed on."""
    os.dup2(terminal, 2)
    with contextlib.suppress(subprocess.TimeoutExpired):  # A child may still write.
        process.wait(timeout=1)


def is_noise(line: bytes) -> bool:
    """Whether a line, without its end, is one of TensorFlow's known notices."""
    return _NOISE.fullmatch(line) is not None


def pass_on(source: int, target: int) -> None:
    """Copies one file descriptor to another until its end, without the notices."""
    rest = b""
    while True:
        if rest and not select.select([source], [], [], _PATIENCE)[0]:
            _write(target, rest)
            rest = b""
        data = os.read(source, 65536)
        if not data:
            break
        *lines, rest = (rest + data).split(b"\n")
        _write(target, b"".join(line + b"\n" for line in lines if not is_noise(line)))
    if not is_noise(rest):
        _write(target, rest)


def _write(target: int, data: bytes) -> None:
    while data:
        data = data[os.write(target, data) :]


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # It ends with its writers.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    pass_on(0, 1)
