"""What the tests of documents share: where they lie, and what is in them to run."""

from __future__ import annotations

import pathlib
import re
import shlex
from collections.abc import Iterator
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = sorted(ROOT.glob("docs/**/*.md"))
DOCUMENTS = sorted(
    path
    for path in [*ROOT.glob("*.md"), *PAGES, *ROOT.glob("experiments/**/*.md")]
    if not any(part.startswith(".venv") for part in path.parts)
)
# A comment above a block that another test runs, with what it needs.
_ELSEWHERE = re.compile(r"tests/\S+\.py runs this")
_FENCE = re.compile(r"(?:<!-- (?P<note>.*?) -->\n)?```python\n(?P<code>.*?)```", re.S)


class Block(NamedTuple):
    """A block of Python in a page.

    Attributes:
      code: what it holds.
      exhaustive: whether the comment above leaves it out of the common tier.
      line: its first line in the page.
    """

    code: str
    exhaustive: bool
    line: int


def name(path: pathlib.Path) -> str:
    """A file as one names it in the repository."""
    return str(path.relative_to(ROOT))


def python_blocks(text: str) -> Iterator[Block]:
    """All blocks of Python in a page, in their order, but those of other tests."""
    for found in _FENCE.finditer(text):
        if _ELSEWHERE.match(found["note"] or ""):
            continue
        line = text.count("\n", 0, found.start("code")) + 1
        exhaustive = (found["note"] or "").startswith("Exhaustive:")
        yield Block(found["code"], exhaustive, line)


def command_lines(text: str) -> Iterator[list[str]]:
    """Every call of the command line, without what a shell fills in."""
    joined = text.replace("\\\n", " ")
    for line in joined.splitlines():
        found = re.search(r'^\s*(?:\S*bin/)?"?(?:\$bin/)?simclr"?\s+([a-z_]+ .*)', line)
        if found and "…" not in line:
            yield shlex.split(found[1].partition(" > ")[0], comments=True)
