"""Memory that one step gives back is kept for the next, in the process of a command.

glibc hands large blocks back to the kernel as soon as they are freed. A step on a CPU
frees and takes the same blocks again and again, and each time the kernel must find and
clear their pages: with TensorFlow 2.21 on two cores that was 40 % of the processor time
of a training.
"""

from __future__ import annotations

import ctypes
import os
import sys

# Of mallopt(3).
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4


def keep() -> None:
    """Lets this process keep what it frees, where its C library is glibc.

    It then holds on to the most that it ever used. Whoever says in the environment how
    malloc shall do (`MALLOC_…`, `GLIBC_TUNABLES`) is left their way.
    """
    said = any(name.startswith("MALLOC_") for name in os.environ)
    if said or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return
    if not sys.platform.startswith("linux"):
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version"):
        library.mallopt(_MMAP_MAX, 0)
        library.mallopt(_TRIM_THRESHOLD, -1)  # Never.
