"""Files of a run folder, which are read and replaced whole, or grow at their end."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import tensorflow as tf

from simclr_tf import whole_files
from simclr_tf.errors import UserError

# What TensorFlow raises where a path cannot be used; other errors, such as those of
# a lost worker, are not about files.
_FILE_ERRORS = (
    OSError,
    tf.errors.AlreadyExistsError,
    tf.errors.FailedPreconditionError,
    tf.errors.NotFoundError,
    tf.errors.OutOfRangeError,  # A file too large, of newer TensorFlows.
    tf.errors.PermissionDeniedError,
    tf.errors.ResourceExhaustedError,
    tf.errors.UnimplementedError,
    tf.errors.UnknownError,
)


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
        to_do = (
            "See that it is a place where you may read and write, or choose another "
            "folder with --run."
        )
        if whole_files.is_of_full_disk(error):
            to_do = "Make room there: the same command goes on from the last state."
        raise RunFolderError(
            f"Cannot {doing} {path}: {whole_files.why(error)}. {to_do}"
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
    with file_errors("write", path):
        whole_files.replace_file(path, text)


def append_text(path: str, text: str) -> None:
    """Adds to the end of a file, which is made where it is absent.

    The text has left this process when it returns: a killed process loses none of it.
    Where a remote file system has no files that can grow, the file is replaced.

    Raises:
      RunFolderError: where the file cannot be written.
    """
    with file_errors("write", path):
        try:
            with tf.io.gfile.GFile(path, "a") as file:
                file.write(text)
        except tf.errors.UnimplementedError:
            whole_files.replace_file(path, (read_text(path) or "") + text)


def write_json(path: str, value: dict) -> None:
    """Replaces a JSON file, as `write_text`."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def remove_unfinished(folder: str) -> None:
    """Deletes the unfinished files that a process left in a folder when it died."""
    with file_errors("clean", folder):
        whole_files.remove_unfinished(folder)
