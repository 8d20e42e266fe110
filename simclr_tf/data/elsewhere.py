"""Pipelines that are made here and run in another process."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

_tracing = threading.local()


def is_made_elsewhere() -> bool:
    """Whether the pipeline that is being made runs in another process.

    Nothing of it can call this process then: no Python function.
    """
    return getattr(_tracing, "elsewhere", False)


@contextlib.contextmanager
def made_elsewhere() -> Iterator[None]:
    """Around the making of such a pipeline."""
    before = is_made_elsewhere()
    _tracing.elsewhere = True
    try:
        yield
    finally:
        _tracing.elsewhere = before
