"""Whether this process is one of the command line's."""

from __future__ import annotations

import os
import sys

_SCRIPTS = ("simclr", "simclr.exe")
_PACKAGE = __name__.partition(".")[0]


def is_command() -> bool:
    """Whether Python was started as `simclr` or as `python -m simclr_tf`.

    Python 3.9 does not tell what -m names: there it is taken for this package.
    """
    program = os.path.basename((getattr(sys, "argv", None) or [""])[0])
    # While Python looks for what -m names, that is the program's name.
    as_module = program == "-m" and _PACKAGE in getattr(sys, "orig_argv", (_PACKAGE,))
    return program in _SCRIPTS or as_module
