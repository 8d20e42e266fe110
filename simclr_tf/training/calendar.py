"""Which steps make which epoch, also where the data changed on the way."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Calendar:
    """The epochs of a run, of one length each.

    Where the data changed, an epoch began anew at a step that need not be a multiple
    of its length: `offset` shifts all epochs so that one begins there.

    Attributes:
      epochs: of the whole run.
      steps_per_epoch: number of steps with the data as it is now.
      offset: step at which epoch 0 would have begun with that length; may be
        negative.
      since: steps done when the data last changed.
      noted_every: epochs from one end that is noted down, told and saved to the next;
        more than 1 where epochs take few steps.
    """

    epochs: int
    steps_per_epoch: int
    offset: int = 0
    since: int = 0
    noted_every: int = 1

    @property
    def total(self) -> int:
        """Steps of the whole run."""
        return self.begin_of(self.epochs)

    def epoch_of(self, step: int) -> int:
        """The epoch, from 0, that the step after `step` steps belongs to."""
        return (step - self.offset) // self.steps_per_epoch

    def begin_of(self, epoch: int) -> int:
        """Steps done when an epoch begins."""
        return epoch * self.steps_per_epoch + self.offset

    def epoch_at(self, step: int) -> int | float:
        """Epochs done after `step` steps; a whole number, as int, at an epoch's end."""
        done = step - self.offset
        whole, rest = divmod(done, self.steps_per_epoch)
        return done / self.steps_per_epoch if rest else whole

    def next_end(self, step: int) -> int:
        """Steps done at the first noted epoch's end after `step` steps."""
        epoch = self.epoch_of(step) + 1
        noted = -(-epoch // self.noted_every) * self.noted_every
        return self.begin_of(max(epoch, min(noted, self.epochs)))

    def is_end(self, step: int) -> bool:
        """Whether an epoch whose end is noted ends after `step` steps."""
        return self.next_end(step - 1) == step

    def data_step(self, step: int) -> int:
        """The step's number for `pretrain_batches`, which knows no offset."""
        return step - self.offset

    def anew(self, epoch: int, step: int, steps_per_epoch: int) -> Calendar:
        """The calendar in which an epoch, of another length, begins at a step."""
        offset = step - epoch * steps_per_epoch
        return dataclasses.replace(
            self, steps_per_epoch=steps_per_epoch, offset=offset, since=step
        )
