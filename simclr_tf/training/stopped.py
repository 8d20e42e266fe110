"""What ends a run that the same command resumes."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import tensorflow as tf

from simclr_tf.distribution.crew import Crew
from simclr_tf.errors import Stopped


class WorkerLost(Stopped):
    """Another worker of the run is gone; the same commands resume it."""


def stopped(step: int, total: int, crew: Crew, path: str) -> Stopped:
    """Says after which step a run stopped, and where its state is.

    Args:
      step: steps done.
      total: steps of the whole run.
      crew: the workers.
      path: of the run folder.
    """
    told = f"Stopped after step {step:,} of {total:,}"
    if not crew.is_chief:
        return Stopped(f"{told}; the chief of the workers saves the state.")
    told += f"; the state is saved in {path}. The same command resumes it."
    return Stopped(told)


@contextlib.contextmanager
def noticing_lost_workers(crew: Crew, path: str) -> Iterator[None]:
    """Turns what TensorFlow raises when a worker dies into `WorkerLost`.

    Args:
      crew: the workers.
      path: of the run folder.
    """
    try:
        yield
    except (
        tf.errors.UnavailableError,
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
        tf.errors.InternalError,
    ) as error:
        if crew.count == 1:
            raise
        tasks = re.findall(r"/job:(\w+)(?:/replica:\d+)?/task:(\d+)", error.message)
        others = {(job, int(task)) for job, task in tasks} - {crew.task}
        lost = "{} {}".format(*min(others)) if others else "another worker"
        raise WorkerLost(
            f"Of {crew.count} workers {lost} is gone. Start the same command on every "
            f"host again: it resumes from the newest state in {path}."
        ) from error
