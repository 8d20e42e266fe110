"""How often a run notes its figures down and saves its state."""

from __future__ import annotations

import dataclasses

from simclr_tf.errors import UserError


@dataclasses.dataclass(frozen=True)
class HowOften:
    """How often figures are noted down and states saved.

    Attributes:
      log_every: steps from one row of figures to the next, 0 for none within an epoch.
      checkpoint_steps: steps from one saved state to the next, 0 for no number.
      checkpoint_minutes: minutes from one saved state to the next.

    Raises:
      UserError: where one is negative, or no number.
    """

    log_every: int
    checkpoint_steps: int
    checkpoint_minutes: float

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if not value >= 0:
                raise UserError(f"{name} must be 0 or more, got {value:g}.")
