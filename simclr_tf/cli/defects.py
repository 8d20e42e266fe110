"""Whose defect an error is: that of this package, or of a part of the user's own."""

from __future__ import annotations

import os
import platform
import re
import sys
import sysconfig
import traceback
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import NamedTuple

from simclr_tf.version import __version__

# How messages begin that TensorFlow and Keras put around another one.
RAISED_ANEW = ("in user code:", "Exception encountered when calling")
_PACKAGE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
_LIBRARIES = {
    os.path.realpath(sysconfig.get_path(name))
    for name in ("stdlib", "platstdlib", "purelib", "platlib")
}
# Packages whose code runs in every part, so that it is nobody's own.
_SHARED = ("tensorflow", "keras", "tf_keras", "keras_cv")
# As Python shows a frame, and TensorFlow the place where an operation was made.
_FRAME = re.compile(r'File "([^"]+)", line (\d+)')


class Place(NamedTuple):
    """A line of a file."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}"


def first_raised(error: BaseException) -> BaseException:
    """The error that TensorFlow and Keras raised anew, with more words, as this one."""
    while error.__context__ is not None and str(error).startswith(RAISED_ANEW):
        error = error.__context__
    return error


def how_to_go_on(error: BaseException, named: Sequence[ModuleType]) -> str:
    """What follows the traceback of an error that is no mistake in a command line.

    Args:
      error: what was raised.
      named: modules that dotted names of the command line name.
    """
    place = place_in_own_part(error, named)
    if place is not None:
        return (
            f"\nThe error is in {place}: in a part of your own, named on the command "
            "line, and not in simclr_tf."
        )
    tensorflow = getattr(sys.modules.get("tensorflow"), "__version__", "not imported")
    return (
        "\nThis is a defect of simclr_tf. Please report it to the project with all of "
        'the above, see README, "Reporting a defect".\n'
        f"simclr_tf {__version__}, TensorFlow {tensorflow}, Python "
        f"{platform.python_version()}, {platform.platform()}"
    )


def place_in_own_part(
    error: BaseException, named: Sequence[ModuleType]
) -> Place | None:
    """Where an error was raised in a part of the user's own, or by what it called.

    Args:
      error: what was raised.
      named: modules of the user's own.

    Returns:
      The innermost line of the part; None where one of simclr_tf lies further in.
    """
    own = [each for each in map(_own_code, named) if each]
    for place in _places(first_raised(error)):
        path = os.path.realpath(place.path)
        if _lies_in(path, _PACKAGE):
            return None
        if any(_is_of(path, each) for each in own):
            return place
    return None


def _places(error: BaseException) -> Iterator[Place]:
    """The lines where an error was raised, the innermost first."""
    # AutoGraph runs a file of its own making, and keeps which lines it was made of.
    metadata = getattr(error, "ag_error_metadata", None)
    for frame in getattr(metadata, "translated_stack", ()):
        yield Place(frame.filename, frame.lineno)
    # An operation fails long after the line that made it, which its message names.
    tensorflow = sys.modules.get("tensorflow")  # Without it there is no such error.
    if tensorflow and isinstance(error, tensorflow.errors.OpError):
        for path, line in reversed(_FRAME.findall(error.message)):
            yield Place(path, int(line))
    frames = traceback.walk_tb(error.__traceback__)
    for frame, line in reversed(list(frames)):
        path = frame.f_code.co_filename
        if not path.startswith("<") and "__autograph_generated" not in path:
            yield Place(path, line)


def _own_code(module: ModuleType) -> str | None:
    """The folder or file of a module's package, or of a module of no package."""
    file = getattr(module, "__file__", None)
    if file is None:
        return None
    file = os.path.realpath(file)
    name = module.__name__.partition(".")[0]
    folders = list(getattr(sys.modules.get(name), "__path__", ()))
    if folders and name not in _SHARED:
        return os.path.realpath(folders[0])
    return file if _is_library(file) else os.path.dirname(file)


def _is_of(path: str, own: str) -> bool:
    # Beside a module of the user's there may be an environment of libraries.
    return _lies_in(path, own) and (_is_library(own) or not _is_library(path))


def _is_library(path: str) -> bool:
    folders = path.split(os.sep)
    return (
        "site-packages" in folders
        or "dist-packages" in folders
        or any(_lies_in(path, library) for library in _LIBRARIES)
    )


def _lies_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ""))
