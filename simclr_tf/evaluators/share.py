"""A share of a sample's images, and the error of a difference of two of them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np


class Share(float):
    """How many of the queries were right, 0 to 1, which also knows which they were.

    Attributes:
      right: floating point `[M]`, what each query counts: 0, 1, or 0.5 where one of
        its two views was right.

    Args:
      right: see above.
    """

    right: np.ndarray

    def __new__(cls, right: np.ndarray) -> Share:
        share = super().__new__(cls, np.mean(right))
        share.right = np.asarray(right, np.float64)
        return share


def which_were_right(values: Mapping[str, float]) -> dict[str, str]:
    """What the queries of each `Share` among values count, for JSON.

    Returns:
      By name a digit for each query, twice what it counts: "0", "1" or "2".
    """
    return {
        name: "".join(str(round(2 * each)) for each in value.right)
        for name, value in values.items()
        if isinstance(value, Share)
    }


def error_of_difference(first: str, second: str) -> float | None:
    """The standard error of the difference of two shares of the same queries.

    Of n queries of which b are right in the first alone and c in the second alone, it
    is sqrt(b + c - (b - c)^2 / n) / n: queries that both get right, or both wrong, say
    nothing of the difference. (The deviation of the n differences, over sqrt(n).)

    Args:
      first: of `which_were_right`.
      second: the same of something else.

    Returns:
      None where they are not of as many queries.
    """
    if not first or len(first) != len(second):
        return None
    apart = np.array([*map(int, first)]) / 2 - np.array([*map(int, second)]) / 2
    return float(np.std(apart)) / math.sqrt(len(apart))
