"""What a hook says and does."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass
class Moment:
    """Where a training stands after an execution; the same for all workers.

    Attributes:
      step: steps done.
      total: steps of the whole training.
      stopping: whether a worker was asked to stop.
      read: gives the values of the last step, means over all replicas. All workers
        call it at the same step.
      row: what hooks have measured at this step, which is noted down.
      evaluated: whether the encoder was measured at this step.
      warnings: lines that a person should read.
    """

    step: int
    total: int
    stopping: bool
    read: Callable[[], dict[str, float]]
    row: dict[str, float] = dataclasses.field(default_factory=dict)
    evaluated: bool = False
    warnings: list[str] = dataclasses.field(default_factory=list)


class Hook:
    """Runs after executions of a `Loop`, on all workers at the same step.

    So it may do what workers do together, such as reading metrics or saving, if it
    decides by `moment` and `asked` alone.
    """

    def next_step(self, step: int) -> int | None:
        """The first step after `step` that an execution must end with, or None."""

    def before(self, step: int) -> None:
        """Runs before each execution."""

    def asks(self) -> bool:
        """Whether this worker would have it act now; asked after each execution."""
        return False

    def after(self, moment: Moment, asked: bool) -> None:
        """Runs after each execution.

        Args:
          moment: where the training stands.
          asked: whether a worker's hook has asked; workers exchange it every two
            seconds or so, and one alone after each execution.
        """
        raise NotImplementedError(f"{type(self).__name__} must define after().")

    def is_due(self, step: int) -> bool:
        """Whether `next_step` names this step."""
        return self.next_step(step - 1) == step
