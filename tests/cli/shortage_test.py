"""Too little memory or disk is told as that, and not as a defect."""

import errno
import types

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.cli.main import main


def _raised_by(work):
    try:
        work()
    except Exception as error:
        return error
    raise AssertionError


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "/tmp/x"),
            "simclr: The disk is full at /tmp/x: make room",
        ),
        (
            tf.errors.ResourceExhaustedError(None, None, "a; No space left on device"),
            "simclr: The disk is full: make room",
        ),
        (
            _raised_by(lambda: np.zeros([2**50], np.float64)),
            "simclr: The memory is too small: Unable to allocate 8.00 PiB",
        ),
        (
            tf.errors.ResourceExhaustedError(
                None, None, "OOM when allocating tensor with shape[9] [Op:AddV2]"
            ),
            "simclr: The memory is too small: OOM when allocating tensor with "
            "shape[9]. A smaller --batch_size",
        ),
        (MemoryError(), "simclr: The memory is too small. A smaller --batch_size"),
    ],
)
def test_what_is_short_is_told_in_a_line(error, told, capsys, monkeypatch):
    def work(values):
        raise error

    command = types.SimpleNamespace(parse=list, run=work)
    monkeypatch.setattr("simclr_tf.cli.main._find", lambda name: command)
    assert main(["any"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(told)
