"""The worker processes of one run, which must do the same things at the same step."""

from __future__ import annotations

import time

import tensorflow as tf

# Seconds from one meeting to the next.
_GAP = 2.0


class Crew:
    """This process' place among a run's workers; alone it is chief of a crew of one.

    Args:
      strategy: of the run.
    """

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        self._strategy = strategy
        self.count, self.is_chief = 1, True
        self.task = ("worker", 0)
        if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            resolver = strategy.cluster_resolver
            jobs = resolver.cluster_spec().as_dict()
            self.count = sum(len(jobs.get(job, ())) for job in ("chief", "worker"))
            self.task = (resolver.task_type, resolver.task_id)
            # The first worker is chief where no task bears that name.
            self.is_chief = self.task == ("chief" if "chief" in jobs else "worker", 0)
        self._met = (None, 0)
        self._next = 0

    def agree(self, step: int, flag: bool) -> bool:
        """Whether any worker has raised its flag.

        A crew of more than one meets every two seconds or so, at steps that are the
        same for all, and answers False in between.

        Args:
          step: steps taken; all workers call this at the same ones.
          flag: this worker's.
        """
        if self.count == 1:
            return flag
        if step < self._next:
            return False
        raised, pace = self._sum([float(flag), float(self._pace(step))])
        self._met, self._next = (time.monotonic(), step), step + int(pace)
        return raised > 0

    def _pace(self, step: int) -> int:
        """Steps to the next meeting, as the chief has it; the others say 0."""
        if not self.is_chief:
            return 0
        when, before = self._met
        if when is None:
            return 1
        rate = (step - before) / (time.monotonic() - when)
        return max(1, int(rate * _GAP))

    def _sum(self, values: list[float]) -> list[float]:
        mine = self._strategy.experimental_distribute_values_from_function(
            # A worker's replicas say the same; count it once.
            lambda context: tf.constant(values) * float(self._is_first(context))
        )
        total = self._strategy.reduce(tf.distribute.ReduceOp.SUM, mine, axis=None)
        return [float(value) for value in total]

    def _is_first(self, context: tf.distribute.ValueContext) -> bool:
        here = self._strategy.num_replicas_in_sync // self.count
        return context.replica_id_in_sync_group % here == 0
