"""The loop of steps of a training, whatever it trains.

TensorFlow's `PreemptionCheckpointHandler` is no part of it: it hears SIGTERM alone and
not Ctrl-C, ends the process itself, counts calls and not steps, and saves and restores
by `CheckpointManager`, see `checkpoints`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf

from simclr_tf.distribution.crew import Crew
from simclr_tf.training.hooks.hook import Hook, Moment
from simclr_tf.training.stop_signal import StopSignal

# Takes so many steps; scalars of the last one, means over this worker's replicas.
Train = Callable[[Iterator[Any], int], "dict[str, tf.Tensor]"]


@dataclasses.dataclass(frozen=True)
class Phase:
    """Steps that are taken by one function, from batches of one kind.

    Attributes:
      end: steps done when it ends.
      batches: those of the next step and the steps after it.
      train: takes steps, see `make_train_function`.
    """

    end: int
    batches: Iterator[Any]
    train: Train


class Loop:
    """Takes the steps that are left; hooks note down, measure and save.

    It takes `steps_per_execution` steps at a time, fewer where a hook must run before.
    Hooks run in their order after each execution, on all workers at the same step.

    Args:
      begin: makes the phase that begins after so many steps.
      total: steps of the whole training.
      step: steps done before.
      hooks: in the order in which they run.
      crew: the workers.
      steps_per_execution: most steps between two returns to Python.
    """

    def __init__(
        self,
        begin: Callable[[int], Phase],
        total: int,
        *,
        hooks: Sequence[Hook],
        crew: Crew,
        step: int = 0,
        steps_per_execution: int = 1,
    ) -> None:
        self.step = step
        self.total = total
        self._begin = begin
        self._hooks = hooks
        self._crew = crew
        self._steps = steps_per_execution

    def run(self, stop: StopSignal) -> bool:
        """Takes the steps that are left; whether no signal to any worker ended it."""
        while self.step < self.total:
            phase = self._begin(self.step)
            while self.step < min(phase.end, self.total):
                stopping = self._execute(phase, stop)
                if stopping and self.step < self.total:
                    return False
        return True

    def _execute(self, phase: Phase, stop: StopSignal) -> bool:
        """Takes some steps and runs the hooks; whether workers agree to stop."""
        asked_for = [hook.next_step(self.step) for hook in self._hooks]
        ends = [phase.end, self.total, self.step + self._steps]
        end = min(ends + [step for step in asked_for if step is not None])
        for hook in self._hooks:
            hook.before(self.step)
        values = phase.train(phase.batches, end - self.step)
        self.step = end
        asks = [hook.asks() for hook in self._hooks]
        flags = [stop.requested, *asks]
        if self._crew.meets(self.step):
            stopping, *asked = self._crew.agree(self.step, flags)
        else:
            stopping, asked = False, [False] * len(asks)
        moment = Moment(self.step, self.total, stopping, self._reading(values))
        for hook, flag in zip(self._hooks, asked):
            hook.after(moment, flag)
        return stopping

    def _reading(self, values: dict[str, tf.Tensor]) -> Callable[[], dict[str, float]]:
        """Reads the values of a step when called: it waits for device and workers."""

        def read() -> dict[str, float]:
            own = [float(value) for value in values.values()]
            return dict(zip(values, self._crew.mean(own)))

        return read
