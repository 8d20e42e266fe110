"""The files below a folder: one look at each folder, one at each file."""

from __future__ import annotations

import concurrent.futures
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

import tensorflow as tf

from simclr_tf.data.regular_files import irregularity_of
from simclr_tf.data.source import DataError, reason

# Folders and files that systems and programs leave beside pictures, in lower case.
_LEFT_BEHIND = {
    *("@eadir", "__macosx", "#recycle", "$recycle.bin", "lost+found"),
    *("system volume information", "thumbs.db", "ehthumbs.db", "desktop.ini"),
    *("icon\r", "picasa.ini"),
}
_REQUESTS = 32  # to a remote file system at a time


class File(NamedTuple):
    """A file that was found.

    Attributes:
      path: where it is.
      name: the same below the folder that was listed.
      size: bytes; -1 where nothing tells.
      time: of its last change, in nanoseconds; -1 where nothing tells.
      fault: why it cannot be read, such as "it is a named pipe"; None otherwise.
      page: which page of it is meant, from 0; None for the file as a whole.
    """

    path: str
    name: str
    size: int
    time: int
    fault: str | None = None
    page: int | None = None

    @property
    def title(self) -> str:
        """What the image is called: the path, and the page in brackets."""
        return self.path if self.page is None else f"{self.path}[{self.page}]"


def is_left_behind(name: str) -> bool:
    """Whether a file or folder is hidden, or is what a system leaves in folders."""
    return name.startswith(".") or name.lower() in _LEFT_BEHIND


def list_files(root: str) -> list[File]:
    """All files below a folder, by their paths; hidden ones are left out.

    A link to a folder is followed unless it leads back to one of those above it. Each
    file is looked up once, for its size and time.

    Raises:
      DataError: where a folder cannot be listed, or a name is not UTF-8.
    """
    try:
        if "://" in root:
            return sorted(_remote(root))
        return sorted(_local(root, "", {os.path.realpath(root)}, root))
    except UnicodeDecodeError as error:
        raise _not_utf8(root, error.object) from error
    except tf.errors.OpError as error:
        raise _cannot_list(root, reason(error)) from error


def folders_in(path: str) -> list[str]:
    """Names of the folders in a folder, sorted; hidden ones are left out.

    Raises:
      DataError: see `list_files`.
    """
    try:
        names = [name.rstrip("/") for name in tf.io.gfile.listdir(path)]
    except UnicodeDecodeError as error:
        raise _not_utf8(path, error.object) from error
    except tf.errors.OpError as error:
        raise _cannot_list(path, reason(error)) from error
    return [
        name
        for name in sorted(names)
        if not is_left_behind(name) and tf.io.gfile.isdir(os.path.join(path, name))
    ]


def _local(folder: str, below: str, above: set[str], root: str) -> Iterator[File]:
    """The files of a folder and of those in it.

    Args:
      folder: its path.
      below: the same below the root, with a separator at its end; "" for the root.
      above: where the folder and those above it really lie.
      root: for messages.
    """
    real = os.path.realpath(folder)
    folders = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                _require_utf8(root, entry.name)
                if is_left_behind(entry.name):
                    continue
                if _is_folder(entry):
                    folders.append((entry.name, entry.is_symlink()))
                else:
                    yield _looked_up(entry, below + entry.name)
    except OSError as error:
        raise _cannot_list(root, f"{folder}; {error.strerror}") from error
    for name, is_link in folders:
        path = os.path.join(folder, name)
        place = os.path.realpath(path) if is_link else os.path.join(real, name)
        if place not in above:
            yield from _local(path, below + name + os.sep, above | {place}, root)


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # A link that leads to itself.
        return False


def _looked_up(entry: os.DirEntry, name: str) -> File:
    try:
        status = entry.stat()
    except OSError as error:
        return File(entry.path, name, -1, -1, f"{entry.path}; {error.strerror}")
    if stat.S_ISREG(status.st_mode):
        return File(entry.path, name, status.st_size, status.st_mtime_ns)
    return File(entry.path, name, -1, -1, f"it is {irregularity_of(status)}")


def _remote(root: str) -> list[File]:
    """The same by TensorFlow, for `gs://…` and others."""
    paths = [
        os.path.join(folder, name)
        for folder, _, names in tf.io.gfile.walk(root)
        for name in names
        if not any(map(is_left_behind, [*folder[len(root) :].split("/"), name]))
    ]
    start = len(root.rstrip("/")) + 1

    def look_up(path: str) -> File:
        status = tf.io.gfile.stat(path)
        return File(path, path[start:], status.length, status.mtime_nsec)

    with concurrent.futures.ThreadPoolExecutor(_REQUESTS) as threads:
        return list(threads.map(look_up, paths))


def _require_utf8(root: str, name: str) -> None:
    if not name.isascii():
        try:
            name.encode()
        except UnicodeEncodeError:
            raise _not_utf8(root, os.fsencode(name)) from None


def _not_utf8(root: str, name: bytes) -> DataError:
    return DataError(f"{root} holds the name {name!r}, which is not UTF-8: rename it.")


def _cannot_list(root: str, why: str) -> DataError:
    return DataError(
        f"{root} cannot be listed: {why}. Make its folders readable, or move those "
        "away that should not be read."
    )
