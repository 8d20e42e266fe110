"""The worker processes of one run, which must do the same things at the same step."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence

import tensorflow as tf

from simclr_tf.errors import UserError

# Seconds from one meeting to the next.
_GAP = 2.0
# A hash in this many whole numbers that float32 holds exactly.
_HASH_PARTS = 3
_PART_BITS = 24


class Crew:
    """This process' place among a run's workers; alone it is chief of a crew of one.

    Args:
      strategy: of the run.
    """

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        self._strategy = strategy
        self.count, self.is_chief = 1, True
        self.task = ("worker", 0)
        self._place = 0
        if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            resolver = strategy.cluster_resolver
            jobs = resolver.cluster_spec().as_dict()
            chiefs, workers = (len(jobs.get(job, ())) for job in ("chief", "worker"))
            self.count = chiefs + workers
            self.task = (resolver.task_type, resolver.task_id)
            # The first worker is chief where no task bears that name.
            self._place = self.task[1] + (chiefs if self.task[0] == "worker" else 0)
            self.is_chief = self._place == 0
        self._met: tuple[float, int] | None = None
        self._next = 0

    def meets(self, step: int) -> bool:
        """Whether the workers meet after a step: every two seconds or so.

        A crew of one meets after each step.

        Args:
          step: steps taken; all workers ask at the same ones, and get one answer.
        """
        return self.count == 1 or step >= self._next

    def agree(self, step: int, flags: Sequence[bool]) -> list[bool]:
        """For each flag, whether any worker has raised it.

        Args:
          step: steps taken, at which the workers meet.
          flags: this worker's.
        """
        if self.count == 1:
            return list(flags)
        *raised, pace = self._sum([*map(float, flags), float(self._pace(step))])
        self._met, self._next = (time.monotonic(), step), step + int(pace)
        return [count > 0 for count in raised]

    def mean(self, values: Sequence[float]) -> list[float]:
        """The means over workers of each value; all workers call it together."""
        if self.count == 1:
            return list(values)
        return [total / self.count for total in self._sum(values)]

    def require_same(self, facts: Mapping[str, object]) -> None:
        """Compares what each worker knows of the run; all workers call it together.

        Args:
          facts: names to values that JSON can hold, the same names for all.

        Raises:
          UserError: to every worker, where two differ.
        """
        if self.count == 1:
            return
        hashes = [_parts_of_hash(value) for value in facts.values()]
        own = [part for parts in hashes for part in parts]
        table = [0.0] * len(own) * self.count
        table[self._place * len(own) : (self._place + 1) * len(own)] = own
        everyones = tf.reshape(self._sum(table), [self.count, len(facts), -1]).numpy()
        different = [
            f"{name} (worker {worker} differs from worker 0; here {value})"
            for place, (name, value) in enumerate(facts.items())
            for worker in range(self.count)
            if (everyones[worker, place] != everyones[0, place]).any()
        ]
        if different:
            raise UserError(
                f"The workers would not train one run: they differ in "
                f"{', '.join(different)}. --run must be one folder that all hosts "
                "share, and command, data and versions must be the same."
            )

    def _pace(self, step: int) -> int:
        """Steps to the next meeting, as the chief has it; the others say 0."""
        if not self.is_chief:
            return 0
        if self._met is None:
            return 1
        when, before = self._met
        rate = (step - before) / (time.monotonic() - when)
        return max(1, int(rate * _GAP))

    def _sum(self, values: Sequence[float]) -> list[float]:
        """The sums over workers of each value, which all workers are given."""
        own = self._strategy.experimental_distribute_values_from_function(
            # A worker's replicas say the same; count it once.
            lambda context: tf.constant(values) * float(self._is_first(context))
        )
        total = self._strategy.reduce(tf.distribute.ReduceOp.SUM, own, axis=None)
        return [float(value) for value in total]

    def _is_first(self, context: tf.distribute.ValueContext) -> bool:
        here = self._strategy.num_replicas_in_sync // self.count
        return context.replica_id_in_sync_group % here == 0


def _parts_of_hash(value: object) -> list[float]:
    """A hash of a value, the same in every process."""
    text = json.dumps(value, sort_keys=True, default=str)
    number = int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
    mask = 2**_PART_BITS - 1
    return [float(number >> (_PART_BITS * i) & mask) for i in range(_HASH_PARTS)]
