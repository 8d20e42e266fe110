"""`--help` and `--debug`, which every command takes, in all of absl's spellings."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import NamedTuple

from absl import flags

HELP, _DEBUG = "help", "debug"


class Switches(NamedTuple):
    """What is asked for beside a command's work.

    Attributes:
      help: the command's flags.
      debug: where a mistake was found.
    """

    help: bool
    debug: bool


def define(values: flags.FlagValues) -> None:
    """Adds the flags."""
    flags.DEFINE_boolean(HELP, False, "show this", flag_values=values)
    flags.DEFINE_boolean(
        _DEBUG,
        False,
        "show where a mistake was found, as of a defect",
        flag_values=values,
    )


def switches(arguments: Sequence[str]) -> Switches:
    """The switches among a command's arguments, whatever is wrong with the others.

    Args:
      arguments: what follows the command's name; of files of flags the lines count too.
    """
    values = flags.FlagValues()
    define(values)
    values.set_gnu_getopt(True)  # Values in words of their own end nothing.
    words = [f"--{HELP}" if word == "-h" else word for word in arguments]
    try:
        words = values.read_flags_from_files(words)
    except (flags.Error, OSError, UnicodeDecodeError):
        # The command itself says what is wrong with the file.
        words = [word for word in words if not word.lstrip("-").startswith("flagfile")]
    with contextlib.suppress(flags.Error):  # The command says that, too.
        values(["simclr", *words], known_only=True)
    return Switches(values[HELP].value, values[_DEBUG].value)
