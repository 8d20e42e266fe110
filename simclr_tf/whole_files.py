"""Files replaced in one step: written aside, then renamed.

Readers see what was there before or the whole of what is new, never half; a process
that dies leaves no more than an unfinished file beside it.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator

import tensorflow as tf

from simclr_tf.errors import UserError

# What is raised where a file, local or remote, cannot be used.
FILE_ERRORS = (OSError, tf.errors.OpError)
_FULL = ("No space left", "Disk quota exceeded")
# Ending of the names of files that are still being written.
_UNFINISHED = ".new"


class WriteError(UserError):
    """A file or folder cannot be written."""


@contextlib.contextmanager
def write_errors(path: str, what_is_left: str = "") -> Iterator[None]:
    """Raises WriteError where a file cannot be written.

    It is for what writes alone: a model, or the reading of images, raises errors of the
    same classes, which would be told as those of a full disk.

    Args:
      path: what is written.
      what_is_left: a sentence on what was there before.
    """
    try:
        yield
    except FILE_ERRORS as error:
        said = f"{path} cannot be written: {why(error)}. {what_is_left}"
        raise WriteError(said.rstrip()) from error


def aside_of(path: str) -> str:
    """A new name beside a file or folder, for what is not finished."""
    path = path.rstrip("/")
    name = os.path.basename(path)
    # The rest as it is: of "ram://name" no folder could be joined with a name again.
    rest = path[: len(path) - len(name)]
    return f"{rest}.{name}.{uuid.uuid4().hex[:12]}{_UNFINISHED}"


@contextlib.contextmanager
def replacing_file(path: str, aside: str | None = None) -> Iterator[str]:
    """Gives the name of a file to write, which then takes the place of `path`.

    Args:
      path: of a file, local or remote; where writing fails, it stays as it was.
      aside: that name, where one beside `path` that begins with a dot will not do.

    Raises:
      OSError or OpError: where it cannot be written, see `FILE_ERRORS`.
    """
    aside = aside or aside_of(path)
    try:
        yield aside
        tf.io.gfile.rename(aside, path, overwrite=True)
    except BaseException:
        with contextlib.suppress(*FILE_ERRORS):
            tf.io.gfile.remove(aside)
        raise


def replace_file(path: str, contents: str | bytes) -> None:
    """Replaces a file by one with these contents; errors as `replacing_file`."""
    mode = "w" if isinstance(contents, str) else "wb"
    with replacing_file(path) as aside, tf.io.gfile.GFile(aside, mode) as file:
        file.write(contents)


def remove_unfinished(folder: str) -> None:
    """Deletes the unfinished files that a process left in a folder when it died."""
    for name in tf.io.gfile.listdir(folder):
        if name.startswith(".") and name.endswith(_UNFINISHED):
            tf.io.gfile.remove(os.path.join(folder, name))


def why(error: BaseException) -> str:
    """What an error of `FILE_ERRORS` says, without the path that TensorFlow repeats."""
    text = getattr(error, "strerror", None) or getattr(error, "message", None)
    lines = (text or str(error)).splitlines() or [type(error).__name__]
    return lines[0].rpartition("; ")[2].partition(" [Op:")[0]


def is_of_full_disk(error: BaseException) -> bool:
    """Whether an error of `FILE_ERRORS` says that there is no room for a file."""
    return any(words in str(error) for words in _FULL)
