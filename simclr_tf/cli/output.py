"""Files that a command writes at its end, checked at its start."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence

import tensorflow as tf

from simclr_tf import whole_files
from simclr_tf.cli.command import UsageError


def require_writable(path: str) -> None:
    """Makes the folder of a file or folder to write; nothing else is changed.

    Hours of work are lost where a command learns only at its end that it cannot write.

    Raises:
      UsageError: where it cannot be written.
    """
    if not os.path.basename(path.rstrip("/")):
        raise UsageError(f"--output={path} names no file.")
    aside = whole_files.aside_of(path)
    with write_errors(path):
        tf.io.gfile.makedirs(os.path.dirname(aside) or ".")
        with tf.io.gfile.GFile(aside, "w") as file:
            file.write("")
        tf.io.gfile.remove(aside)


def require_writable_file(path: str) -> None:
    """As `require_writable`, and refuses a folder.

    Raises:
      UsageError: where it cannot be written, or is a folder.
    """
    if path.endswith("/") or tf.io.gfile.isdir(path):
        raise UsageError(f"--output={path} is a folder; name a file in it.")
    require_writable(path)


def require_ending(path: str, endings: Sequence[str]) -> None:
    """Raises UsageError where what --output names does not end as its kind does."""
    if not path.lower().endswith(tuple(endings)):
        raise UsageError(f"--output={path} must end in {' or '.join(endings)}.")


@contextlib.contextmanager
def replacing(path: str) -> Iterator[str]:
    """`whole_files.replacing_file` for what --output names.

    Raises:
      UsageError: where `path` cannot be written.
    """
    with write_errors(path), whole_files.replacing_file(path) as aside:
        yield aside


def write(path: str, data: bytes) -> None:
    """Writes a whole file, or leaves what was there before.

    Raises:
      UsageError: where it cannot be written.
    """
    with write_errors(path):
        whole_files.replace_file(path, data)


@contextlib.contextmanager
def write_errors(path: str) -> Iterator[None]:
    """Raises UsageError where a file that --output names cannot be written."""
    try:
        yield
    except whole_files.FILE_ERRORS as error:
        room = (
            "Make room there, or choose"
            if whole_files.is_of_full_disk(error)
            else "Choose"
        )
        raise UsageError(
            f"Cannot write {path}: {whole_files.why(error)}. {room} another place with "
            "--output."
        ) from error
