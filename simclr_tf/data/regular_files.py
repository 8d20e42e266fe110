"""Which paths are regular files: reading a pipe waits, reading a device may not end."""

from __future__ import annotations

import os
import stat

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def irregularity(path: str) -> str | None:
    """What a path leads to where that is no regular file, links followed.

    Args:
      path: local, or of another file system (`gs://…`), whose files are all regular.

    Returns:
      Such as "a named pipe"; None for a regular file or where nothing can be told:
      reading it will say what is wrong.
    """
    status = _status(path)
    if status is None:
        return None
    return irregularity_of(status)


def irregularity_of(status: os.stat_result) -> str | None:
    """The same from what is known of a file."""
    return next((name for is_kind, name in _KINDS if is_kind(status.st_mode)), None)


def size_of(path: str) -> int | None:
    """Bytes of a local file, links followed; None where nothing can be told."""
    status = _status(path)
    return None if status is None else status.st_size


def _status(path: str) -> os.stat_result | None:
    if "://" in path:
        return None
    try:
        return os.stat(path)
    except (OSError, ValueError):
        return None
