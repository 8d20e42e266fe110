"""A setting of a run, as a field of a dataclass that the command line reads."""

from __future__ import annotations

import dataclasses
from typing import Any


def setting(
    default: Any,
    text: str,
    choices: tuple[str, ...] = (),
    *,
    changes_training: bool = True,
) -> Any:
    """A field with what the command line and a run folder need to know of it.

    Args:
      default: its value where the user says nothing.
      text: for `--help`.
      choices: the only values, where they are few.
      changes_training: whether a run that is resumed must have the same value.
    """
    metadata = {"help": text, "choices": choices, "changes_training": changes_training}
    return dataclasses.field(default=default, metadata=metadata)
