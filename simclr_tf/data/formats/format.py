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
      is_deep: whether a file has more than 8 bits and need not say which of its values
        are black and white. Then `decode` takes them as its second argument, or None.
        Where it is None, no file of the format is such a one.
    """

    name: str
    magics: Sequence[Sequence[tuple[int, bytes]]]
    decode: Callable[..., np.ndarray] | None = None
    is_deep: Callable[[bytes], bool] | None = None

    def matches(self, head: bytes) -> bool:
        """Whether a file begins as those of the format do."""
        return any(
            all(head[at : at + len(text)] == text for at, text in magic)
            for magic in self.magics
        )
