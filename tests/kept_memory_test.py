"""A process that keeps its memory takes each page once from the kernel."""

import ctypes
import os
import subprocess
import sys

import pytest

from simclr_tf import kept_memory
from simclr_tf.cli import main

SCRIPT = """
import resource
from simclr_tf import kept_memory
{first}
kept = [bytearray(2**20) for _ in range(4)]
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    bytearray(2**26)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
PAGES = 2**26 // os.sysconf("SC_PAGE_SIZE")  # Of one block.


def pages_taken(first, **environment):
    """Pages that the kernel gives for ten blocks, each freed before the next."""
    package = "import sys, types; package = types.ModuleType('simclr_tf')\n"
    package += f"package.__path__ = [{os.path.dirname(kept_memory.__file__)!r}]\n"
    package += "sys.modules['simclr_tf'] = package\n"
    ran = subprocess.run(
        [sys.executable, "-c", package + SCRIPT.format(first=first)],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    return int(ran.stdout)


@pytest.mark.skipif(
    not sys.platform.startswith("linux")
    or not hasattr(ctypes.CDLL(None), "gnu_get_libc_version")
    or any(name.startswith(("MALLOC_", "GLIBC_")) for name in os.environ),
    reason="this C library is not glibc, or is told otherwise",
)
def test_blocks_are_taken_once():
    assert pages_taken("") > 9 * PAGES  # So that what follows can fail.
    assert pages_taken("kept_memory.keep()") < 2 * PAGES
    asked = {"MALLOC_MMAP_THRESHOLD_": str(2**20)}
    assert pages_taken("kept_memory.keep()", **asked) > 9 * PAGES


def test_each_command_keeps_it(monkeypatch):
    kept = []
    monkeypatch.setattr(kept_memory, "keep", lambda: kept.append(True))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", ["simclr", "--version"])
    with pytest.raises(SystemExit):
        main.run()
    assert kept
