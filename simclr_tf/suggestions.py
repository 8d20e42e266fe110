"""What a mistyped name was meant to be."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

# Shorter names are part of too many others.
_LEAST_SHARED = 3
# How alike names must be, from 0 to 1: long ones share letters by chance.
_OF_SHORT, _OF_LONG, _LONG = 0.6, 0.72, 6


def nearest(name: str, known: Iterable[str], count: int = 1) -> list[str]:
    """The known names that a mistyped one may stand for, the likeliest first.

    Case, dashes and underscores do not matter. Names that are the beginning or a part
    of one another come first, as "gray" and "grayscale"; then those with few letters
    between them.

    Args:
      name: as it was typed.
      known: names that there are.
      count: of names at most.
    """
    plain = {each: _plain(each) for each in known}
    wanted = _plain(name)
    if not wanted:
        return []
    same = [each for each, text in plain.items() if text == wanted]
    cutoff = _OF_SHORT if len(wanted) < _LONG else _OF_LONG
    close = difflib.get_close_matches(wanted, set(plain.values()), 3, cutoff)
    begun = [each for each, text in plain.items() if _begins(text, wanted)]
    within = [each for each, text in plain.items() if _is_part(text, wanted)]
    alike = [each for text in close for each in plain if plain[each] == text]
    # Of one word that many names begin with, the names nearest to it.
    begun.sort(key=lambda each: abs(len(plain[each]) - len(wanted)))
    return list(dict.fromkeys(same + begun + within + alike))[:count]


def did_you_mean(
    name: str, known: Iterable[str], *, form: str = "{}", count: int = 1
) -> str:
    """The sentence that suggests known names, after a space; "" where none is near.

    Args:
      name: as it was typed.
      known: names that there are.
      form: how a name is shown, such as "--{}".
      count: of names at most.
    """
    found = [form.format(each) for each in nearest(name, known, count)]
    return f" Did you mean {' or '.join(found)}?" if found else ""


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()


def _begins(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return len(short) >= _LEAST_SHARED and long.startswith(short)


def _is_part(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return len(short) > _LEAST_SHARED and short in long
