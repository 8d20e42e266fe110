"""Files that a command writes at its end, checked at its start."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import tensorflow as tf

from simclr_tf.cli.command import UsageError


def require_writable(path: str) -> None:
    """Makes the folder of a file or folder to write; nothing else is changed.

    Hours of work are lost where a command learns only at its end that it cannot write.

    Raises:
      UsageError: where it cannot be written.
    """
    if not os.path.basename(path.rstrip("/")):
        raise UsageError(f"--output={path} names no file.")
    aside = _aside(path)
    with _write_errors(path):
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


@contextlib.contextmanager
def replacing(path: str) -> Iterator[str]:
    """Gives the name of a file to write, which then takes the place of `path`.

    Readers see what was there before or the whole of what is written.

    Raises:
      UsageError: where `path` cannot be written.
    """
    aside = _aside(path)
    with _write_errors(path):
        try:
            yield aside
            tf.io.gfile.rename(aside, path, overwrite=True)
        except BaseException:
            with contextlib.suppress(OSError, tf.errors.OpError):
                tf.io.gfile.remove(aside)
            raise


def write(path: str, data: bytes) -> None:
    """Writes a whole file, or leaves what was there before.

    Raises:
      UsageError: where it cannot be written.
    """
    with replacing(path) as aside, tf.io.gfile.GFile(aside, "wb") as file:
        file.write(data)


def _aside(path: str) -> str:
    folder, name = os.path.split(path.rstrip("/"))
    return os.path.join(folder, f".{name}.{os.getpid()}.new")


@contextlib.contextmanager
def _write_errors(path: str) -> Iterator[None]:
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        text = getattr(error, "strerror", None) or getattr(error, "message", None)
        reason = (text or str(error)).splitlines()[0].rpartition("; ")[2]
        raise UsageError(
            f"Cannot write {path}: {reason}. Choose another place with --output."
        ) from error
