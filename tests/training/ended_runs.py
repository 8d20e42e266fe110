"""What tests of stopped and resumed runs share: an end on the way, and what is left."""

from __future__ import annotations

import contextlib
import signal

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.checkpoints.files import checkpoint_steps, prefix_of, readable
from simclr_tf.progress import Progress
from simclr_tf.training import RunFolder


def rows_of(run):
    """The rows of metrics.jsonl, without what depends on the time."""
    rows = RunFolder(str(run)).read_metrics()
    return [{k: v for k, v in row.items() if k != "images_per_second"} for row in rows]


def state_of(run):
    """The arrays of a run's newest state, by name."""
    folder = str(run / "checkpoints")
    with readable(prefix_of(folder, checkpoint_steps(folder)[-1])) as path:
        reader = tf.train.load_checkpoint(path)
        return {
            name: reader.get_tensor(name)
            for name in reader.get_variable_to_shape_map()
            if not name.startswith(("seconds", "_CHECKPOINTABLE"))
            # keras-cv's own generator, which nothing draws from.
            and "_random_generator" not in name
        }


def assert_same_state(run, whole):
    """Both runs' newest states are equal, to the bit."""
    state, expected = state_of(run), state_of(whole)
    assert state.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(value, state[name], err_msg=name)


@contextlib.contextmanager
def after(steps, event):
    """Calls `event` after some steps of the next run."""
    left = iter(range(steps - 1, -1, -1))

    def due(self):
        if next(left, None) == 0:
            event()
        return False

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Progress, "due", due)
        yield


def send_sigterm():
    """Asks this process to stop."""
    signal.raise_signal(signal.SIGTERM)
