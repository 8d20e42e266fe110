"""Runs of classifiers without the parts that a test says nothing of."""

from __future__ import annotations

import contextlib

import pytest

from simclr_tf.training import Stopped, classifier_run
from simclr_tf.training.run_loop import RunLoop


@contextlib.contextmanager
def without_export():
    """Runs end with their result, and write no `classifier/`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifier_run, "_export", lambda task, run: "not exported")
        yield


@contextlib.contextmanager
def before_the_first_step():
    """Runs are stopped when all is said and written that comes before a step."""

    def stop(loop):
        raise Stopped("before the first step")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunLoop, "run_to_end", stop)
        yield
