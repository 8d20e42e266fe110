"""Lines for a person: flushed at once, and safe to print."""

from __future__ import annotations

import sys
from typing import TextIO


def say(line: str, file: TextIO | None = None) -> None:
    """Prints a line, so that a log file shows it while the run goes on.

    Args:
      line: the text; may have several lines.
      file: where to; stdout where None.
    """
    print(printable(line), file=file or sys.stdout, flush=True)


def silent(line: str) -> None:
    """Takes the place of `say` where another process or another line says it."""


def printable(text: str) -> str:
    """The text with control characters escaped, except for newlines and tabs.

    File names come from anywhere, and a terminal obeys escape sequences in them.
    """
    return "".join(
        character
        if character in "\n\t" or character.isprintable()
        else character.encode("unicode_escape", "surrogatepass").decode()
        for character in text
    )
