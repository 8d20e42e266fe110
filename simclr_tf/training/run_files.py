"""Files of a run folder, which are read and replaced whole."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator

import tensorflow as tf

from simclr_tf.errors import UserError

# What TensorFlow raises where a path cannot be used; other errors, such as those of
# a lost worker, are not about files.
_FILE_ERRORS = (
    OSError,
    tf.errors.AlreadyExistsError,
    tf.errors.FailedPreconditionError,
    tf.errors.NotFoundError,
    tf.errors.PermissionDeniedError,
    tf.errors.ResourceExhaustedError,
    tf.errors.UnimplementedError,
    tf.errors.UnknownError,
)


# Ending of the names of files that are still being written.
_ASIDE = ".new"


class RunFolderError(UserError):
    """A run folder cannot be used as it is; the message says what to do."""


@contextlib.contextmanager
def file_errors(doing: str, path: str) -> Iterator[None]:
    """Raises `RunFolderError` where a file cannot be used.

    Args:
      doing: what fails, such as "read".
      path: of the file.
    """
    try:
        yield
    except _FILE_ERRORS as error:
        reason = getattr(error, "strerror", None) or getattr(error, "message", "")
        reason = (reason or str(error)).splitlines()[0].rpartition("; ")[2]
        raise RunFolderError(
            f"Cannot {doing} {path}: {reason}. See that it is a place where you may "
            "read and write, or choose another folder with --run."
        ) from error


def read_text(path: str) -> str | None:
    """The text of a file; None where there is none.

    Raises:
      RunFolderError: where the file may not be read, or is not UTF-8.
    """
    with file_errors("read", path):
        try:
            with tf.io.gfile.GFile(path, "rb") as file:
                data = file.read()
        except tf.errors.NotFoundError:
            return None
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise RunFolderError(
            f"{path} is damaged: byte {error.start} is not UTF-8. Restore it from a "
            "copy, or choose another folder with --run."
        ) from None


def read_json(path: str) -> dict | None:
    """The object that a JSON file holds; None where there is no file.

    Raises:
      RunFolderError: where the file may not be read, or holds no JSON object.
    """
    text = read_text(path)
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise RunFolderError(
            f"{path} is damaged: it holds no JSON object. Restore it from a copy, or "
            "delete it."
        )
    return value


def write_text(path: str, text: str) -> None:
    """Replaces a file in one step: readers see the old text or the new, never half.

    Raises:
      RunFolderError: where the file cannot be written.
    """
    folder, name = os.path.split(path)
    aside = os.path.join(folder, f".{name}.{os.getpid()}{_ASIDE}")
    with file_errors("write", path):
        with tf.io.gfile.GFile(aside, "w") as file:
            file.write(text)
        tf.io.gfile.rename(aside, path, overwrite=True)


def write_json(path: str, value: dict) -> None:
    """Replaces a JSON file, as `write_text`."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def remove_unfinished(folder: str) -> None:
    """Deletes the unfinished files that a process left in a folder when it died."""
    with file_errors("clean", folder):
        for name in tf.io.gfile.listdir(folder):
            if name.startswith(".") and name.endswith(_ASIDE):
                tf.io.gfile.remove(os.path.join(folder, name))
