"""What a machine has too little of is told as that, and not as a defect."""

import errno
import resource
import types

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.cli.main import main
from simclr_tf.cli.shortage import shortage


def _raised_by(work):
    try:
        work()
    except Exception as error:
        return error
    raise AssertionError


def _read_with_too_many_files():
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        tf.io.gfile.GFile(__file__).read()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


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
        (
            OSError(errno.ENOMEM, "Cannot allocate memory"),
            "simclr: The memory is too small: [Errno 12] Cannot allocate memory. A",
        ),
        (
            OSError(errno.EMFILE, "Too many open files", "a.png"),
            "simclr: More files are open at once than the system allows: [Errno 24] "
            "Too many open files: 'a.png'. ulimit -n",
        ),
        (
            _raised_by(_read_with_too_many_files),
            "simclr: More files are open at once than the system allows: ",
        ),
        (
            tf.errors.ResourceExhaustedError(
                None, None, "Received message larger than max (9 vs. 4)"
            ),
            "simclr: A message to another machine is larger than gRPC takes: Received "
            "message larger than max (9 vs. 4). A smaller --batch_size",
        ),
        (
            tf.errors.ResourceExhaustedError(None, None, "Quota exceeded for reads"),
            "simclr: A limit of the machine, or of a service that it asks, is reached: "
            "Quota exceeded for reads. Have it raised",
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


def test_a_mistake_that_speaks_of_memory_is_none_of_the_machines():
    assert shortage(ValueError("memory must be an array, out of memory_bank")) is None
