"""What a format of image files says of itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np


class Format(NamedTuple):
    """A format of image files.

    Attributes:
      name: as people call it.
      magics: what a file of the format begins with, each a sequence of pairs of a
        place and the bytes there.
      decode: a whole file as uint8 `[h, w, 3]`; ValueError or OSError where it is
        damaged. None where TensorFlow decodes the format.
    """

    name: str
    magics: Sequence[Sequence[tuple[int, bytes]]]
    decode: Callable[[bytes], np.ndarray] | None = None

    def matches(self, head: bytes) -> bool:
        """Whether a file begins as those of the format do."""
        return any(
            all(head[at : at + len(text)] == text for at, text in magic)
            for magic in self.magics
        )
