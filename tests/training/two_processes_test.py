"""A run that two processes want is trained by one, and is what it alone would give."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.checkpoints.files import prefix_of
from simclr_tf.training import RunFolder
from tests import tiny

pytestmark = pytest.mark.exhaustive

STEPS = 8  # an epoch

# A machine that hangs at the end of a step, before it notes it down.
HANGS = """
import os, signal, sys
from simclr_tf.cli.main import run
from simclr_tf.progress import Progress
from simclr_tf.training import run_lock

left = iter(range({steps} - 1, -1, -1))
def due(self):
    if next(left, None) == 0:
        os.kill(os.getpid(), signal.SIGSTOP)
    return False
Progress.due = due
"""
# Another machine, which waits less long for a sign of life.
ELSEWHERE = """
run_lock._machine = lambda: "elsewhere"
run_lock._PATIENCE = 1.0
"""


def _flags(folder, run, **often):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, [4 * STEPS, 16, 16, 3], np.uint8)
    np.savez(folder / "images.npz", images=images)
    settings = {
        "dataset": f"npz:{folder / 'images.npz'}",
        "image_size": 16,
        "encoder": tiny.NAME,
        "head_layers": 1,
        "color_strength": 0.0,
        "augment_on": "device",
        "batch_size": 4,
        "epochs": 2,
        "early_share": 0.0,
        "precision": "float32",
        "run": run,
        **often,
    }
    settings["report"] = "false"
    return ["pretrain", *(f"--{name}={value}" for name, value in settings.items())]


def _start(code, flags):
    return subprocess.Popen(
        [sys.executable, *code, *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _ended(process):
    """Its exit status, and what it wrote."""
    output, complaints = process.communicate(timeout=400)
    return process.returncode, output + complaints


def _wait_until_it_hangs(process):
    _, state = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(state), _ended(process)


def _noted(run):
    """What there is of rows and states, and since when."""
    paths = [run / "metrics.jsonl", *(run / "checkpoints").glob("*")]
    return {path: path.stat().st_mtime_ns for path in paths if path.exists()}


def _rows(run):
    rows = RunFolder(str(run)).read_metrics()
    return [{k: v for k, v in row.items() if k != "images_per_second"} for row in rows]


def _weights(run):
    reader = tf.train.load_checkpoint(prefix_of(str(run / "checkpoints"), 2 * STEPS))
    return {
        name: reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
        # keras-cv's own generator, which nothing draws from.
        if name.startswith("model/") and "_random_generator" not in name
    }


@pytest.mark.parametrize(
    "often", [{"log_every": 1}, {"log_every": 0, "checkpoint_steps": 1}]
)
def test_who_lost_the_run_writes_nothing_more(tmp_path, often):
    """Neither the row nor the state that comes next.

    The winner hangs while the loser goes on: what is written then is the loser's.
    """
    whole, run = tmp_path / "whole", tmp_path / "run"
    module = ["-m", "simclr_tf"]
    status, said = _ended(_start(module, _flags(tmp_path, whole, **often)))
    assert status == 0, said
    flags = _flags(tmp_path, run, **often)
    first = _start(["-c", HANGS.format(steps=5) + "run()"], flags)
    second = None
    try:
        _wait_until_it_hangs(first)
        status, said = _ended(_start(module, flags))
        assert (status, f"in use by process {first.pid} on" in said) == (2, True), said
        code = HANGS.format(steps=1) + ELSEWHERE + "run()"
        second = _start(["-c", code], flags)
        _wait_until_it_hangs(second)
        before = _noted(run)
        first.send_signal(signal.SIGCONT)
        status, said = _ended(first)
        taken = f"taken over by process {second.pid} on" in said
        assert (status, taken) == (2, True), said
        assert _noted(run) == before
    finally:
        for process in filter(None, (first, second)):
            process.send_signal(signal.SIGCONT)
    status, said = _ended(second)
    assert status == 0, said
    assert f"Taking over {run} from process {first.pid}" in said

    assert _rows(run) == _rows(whole)
    weights, expected = _weights(run), _weights(whole)
    assert len(weights) > 5
    for name, value in expected.items():
        np.testing.assert_array_equal(weights[name], value, err_msg=name)
    assert not (run / "lock.json").exists()
