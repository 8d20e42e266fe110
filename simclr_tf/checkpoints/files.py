"""Checkpoints and SavedModels found and read by their exact names.

TensorFlow takes the path of a checkpoint for a glob pattern: it does not find those
in a folder whose name has "[", "*", "?" or a backslash, nor a SavedModel's variables.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator

import tensorflow as tf

_INDEX = re.compile(r"ckpt-(\d+)\.index")


class DamagedCheckpoint(Exception):
    """The files of a checkpoint cannot be read whole; the message says why."""


def prefix_of(folder: str, step: int) -> str:
    """The path of a training's checkpoint, without the endings of its files."""
    return os.path.join(folder, f"ckpt-{step}")


def checkpoint_steps(folder: str) -> list[int]:
    """Steps whose state a folder holds, in rising order; none where it is absent.

    Raises:
      OpError: where the folder is a file, or may not be read.
    """
    if not tf.io.gfile.exists(folder):
        return []
    found = (_INDEX.fullmatch(name) for name in tf.io.gfile.listdir(folder))
    return sorted(int(match[1]) for match in found if match)


def checkpoint_files(prefix: str) -> list[str]:
    """Paths of a checkpoint's files: those with data first, then its index."""
    folder, name = os.path.split(prefix)
    pattern = re.compile(re.escape(name) + r"\.(index|data-\d+-of-\d+)")
    names = [each for each in tf.io.gfile.listdir(folder) if pattern.fullmatch(each)]
    return [os.path.join(folder, each) for each in sorted(names)]


def remove_checkpoint(prefix: str) -> None:
    """Deletes a checkpoint's files: its index first, so that no half is found."""
    for path in reversed(checkpoint_files(prefix)):
        tf.io.gfile.remove(path)


def rename_checkpoint(prefix: str, to: str) -> None:
    """Moves a checkpoint within its folder, the index last, which completes it."""
    remove_checkpoint(to)
    for path in checkpoint_files(prefix):
        tf.io.gfile.rename(path, to + path[len(prefix) :], overwrite=True)


@contextlib.contextmanager
def readable(prefix: str) -> Iterator[str]:
    """The path of a checkpoint as TensorFlow can read it, while entered."""
    if not is_pattern(prefix):
        yield prefix
        return
    with tempfile.TemporaryDirectory() as folder:
        for path in checkpoint_files(prefix):
            _alias(path, os.path.join(folder, "checkpoint" + path[len(prefix) :]))
        yield os.path.join(folder, "checkpoint")


@contextlib.contextmanager
def readable_saved_model(folder: str) -> Iterator[str]:
    """The folder of a SavedModel as TensorFlow can read it, while entered."""
    if not is_pattern(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory() as alias:
        for place, _, names in tf.io.gfile.walk(folder):
            inside = os.path.join(alias, os.path.relpath(place, folder))
            os.makedirs(inside, exist_ok=True)
            for name in names:
                _alias(os.path.join(place, name), os.path.join(inside, name))
        yield alias


def is_pattern(path: str) -> bool:
    """Whether TensorFlow takes a path for a pattern."""
    return re.search(r"[][*?\\]", path) is not None


def _alias(path: str, alias: str) -> None:
    if "://" in path:
        tf.io.gfile.copy(path, alias)
    else:
        os.symlink(os.path.abspath(path), alias)


def require_whole(prefix: str) -> None:
    """Reads every tensor of a checkpoint, whose checksums TensorFlow then compares.

    Raises:
      DamagedCheckpoint: where a file is missing, cut short or changed.
      PermissionDeniedError: where a file may not be read.
    """
    for file in checkpoint_files(prefix):
        with tf.io.gfile.GFile(file, "rb") as opened:
            opened.read(1)
    with readable(prefix) as path:
        try:
            reader = tf.train.load_checkpoint(path)
            for name in reader.get_variable_to_shape_map():
                reader.get_tensor(name)
        # Its C++ reader gives each kind of damage another type.
        except (tf.errors.OpError, IndexError, RuntimeError, ValueError) as error:
            text = str(getattr(error, "message", error)).splitlines()
            raise DamagedCheckpoint(text[0] if text else type(error).__name__) from None
