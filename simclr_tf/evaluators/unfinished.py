"""Whether a run was still getting better when it ended."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

# From one quarter of the epochs to the last one the loss must have fallen by this share
# of all that it lies below chance.
LEAST_FALL = 0.05
_QUARTERS = 4

Rows = Sequence[Mapping[str, float]]


def still_falling(
    rows: Rows, name: str, chance: float, errors: float
) -> tuple[float, float] | None:
    """The loss in the third quarter of some epochs and in the last, where it fell.

    It does so if the mean over the last quarter is below that over the quarter before
    it by `LEAST_FALL` of its distance from chance, and by `errors` standard errors of
    the two means, by the spread of the epochs in each. As the learning rate goes down
    to 0 by a half-cosine, these quarters have 16 % and 2.5 % of all its steps' length:
    a loss that came down evenly with that length until the end has 8 % of its fall
    between the two means, one that levelled out before has nearly nothing.

    Args:
      rows: of metrics.jsonl, of epochs whose losses compare, oldest first.
      name: of the loss.
      chance: the loss of a model that knows nothing.
      errors: standard errors that count.

    Returns:
      None where it did not fall, or where fewer than four epochs tell.
    """
    values = [row[name] for row in rows if name in row]
    length = len(values) // _QUARTERS
    if not length:
        return None
    before, last = values[-2 * length : -length], values[-length:]
    means = statistics.fmean(before), statistics.fmean(last)
    spread = [
        statistics.variance(part) if length > 1 else 0.0 for part in (before, last)
    ]
    least = max(
        LEAST_FALL * (chance - means[1]), errors * math.sqrt(sum(spread) / length)
    )
    return means if means[1] < chance and means[0] - means[1] >= least else None


def at_half(rows: Rows, name: str) -> float | None:
    """A figure as last measured in the first half of the epochs; None without one."""
    half = rows[: len(rows) // 2]
    return next((row[name] for row in reversed(half) if name in row), None)
