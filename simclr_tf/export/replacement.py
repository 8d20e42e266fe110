"""Replacing a folder by one that was first written whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.whole_files import FILE_ERRORS, why, write_errors

AS_IT_WAS = "What it held before, if anything, is as it was."
NEW, _OLD = ".simclr-new", ".simclr-old"
# A folder with this file is a SavedModel to whoever looks, so it comes last.
_LAST = "saved_model.pb"


@contextlib.contextmanager
def replacing(path: str) -> Iterator[str]:
    """Gives a new folder to fill, which takes the place of `path` in the end.

    Where filling it fails, the new folder goes and `path` stays as it was; the error is
    raised as it is, see `whole_files.write_errors` for those of writing. The new
    folder lies beside `path` and is renamed. Where `path` itself cannot be renamed (a
    mount point, the current folder, a remote file system), the new folder lies within
    and its files are moved one by one.

    Args:
      path: local or remote (`gs://...`); absent, or a folder that may be replaced.

    Raises:
      UserError: `path` cannot be written.
    """
    path = path.rstrip("/") or path
    whole = _can_be_renamed(path)
    new = f"{path}{NEW}" if whole else os.path.join(path, NEW)
    try:
        with write_errors(path, AS_IT_WAS):
            _remove(new)
            tf.io.gfile.makedirs(new)
        yield new
    except BaseException:
        with contextlib.suppress(*FILE_ERRORS):
            _remove(new)
        raise
    try:
        _rename(new, path) if whole else _move_files(new, path)
    except FILE_ERRORS as error:
        raise UserError(
            f"{path} cannot be replaced: {why(error)}. What was to replace it is "
            f"whole, in {new}."
        ) from error


def require_replaceable(path: str, mark: str) -> None:
    """Raises UserError where a folder to write holds what nobody wants to lose.

    Args:
      path: that `replacing` will replace; absent, empty or an earlier result.
      mark: the name of a file that earlier results hold.
    """
    if not tf.io.gfile.exists(path):
        return
    if not tf.io.gfile.isdir(path):
        raise UserError(f"{path} is a file, and a folder is written: choose another.")
    # A killed process leaves its unfinished folder.
    names = sorted(name for name in _entries(path) if name != NEW)
    if names and mark not in names:
        more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
        raise UserError(
            f"{path} holds {names[0]}{more}, and would be replaced: choose a folder "
            f"that is absent, empty or an earlier result (which has {mark})."
        )


def _can_be_renamed(path: str) -> bool:
    if "://" in path:
        return False
    path = os.path.abspath(path)
    parent = os.path.dirname(path)
    while not os.path.exists(parent):  # It will be made.
        parent = os.path.dirname(parent)
    holds_current_folder = os.path.commonpath([path, os.getcwd()]) == path
    special = holds_current_folder or os.path.ismount(path) or os.path.islink(path)
    return not special and os.access(parent, os.W_OK)


def _rename(new: str, path: str) -> None:
    old = f"{path}{_OLD}"
    _remove(old)
    replaces = os.path.exists(path)
    if replaces:
        os.rename(path, old)
    try:
        os.rename(new, path)
    except OSError:
        if replaces:
            os.rename(old, path)
        raise
    _remove(old)


def _move_files(new: str, path: str) -> None:
    for name in sorted(_entries(path), key=lambda name: name != _LAST):
        if name != NEW:
            _remove(os.path.join(path, name))
    for folder, _, files in sorted(tf.io.gfile.walk(new), reverse=True):
        to = path + folder.rstrip("/")[len(new) :]
        tf.io.gfile.makedirs(to)
        for name in sorted(files, key=lambda name: name == _LAST):
            tf.io.gfile.rename(os.path.join(folder, name), os.path.join(to, name))
    _remove(new)


def _entries(folder: str) -> list[str]:
    """Names in a folder; remote file systems end those of folders with a slash."""
    return [name.rstrip("/") for name in tf.io.gfile.listdir(folder)]


def _remove(path: str) -> None:
    if tf.io.gfile.isdir(path):
        tf.io.gfile.rmtree(path)
    elif tf.io.gfile.exists(path):
        tf.io.gfile.remove(path)
