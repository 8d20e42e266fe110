"""A run that two processes want is trained by one, and is what it alone would give."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.checkpoints.files import prefix_of
from simclr_tf.training import RunFolder
from tests import tiny

pytestmark = pytest.mark.exhaustive

STEPS = 8  # an epoch

# A machine that hangs in the middle of the run's fifth step, before it notes it down.
HANGS = """
import os, signal, sys
from simclr_tf.cli.main import run
from simclr_tf.progress import Progress

left = iter(range(4, -1, -1))
def due(self):
    if next(left, None) == 0:
        os.kill(os.getpid(), signal.SIGSTOP)
    return False
Progress.due = due
run()
"""
# Another machine, which waits less long for a sign of life.
ELSEWHERE = """
from simclr_tf.cli.main import run
from simclr_tf.training import run_lock

run_lock._machine = lambda: "elsewhere"
run_lock._PATIENCE = 1.0
run()
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


def _holder(run):
    """Whose the run is; None once it has ended."""
    try:
        return json.loads((run / "lock.json").read_text())["pid"]
    except FileNotFoundError:
        return None


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
    """Neither the row nor the state that comes next."""
    whole, run = tmp_path / "whole", tmp_path / "run"
    module = ["-m", "simclr_tf"]
    status, said = _ended(_start(module, _flags(tmp_path, whole, **often)))
    assert status == 0, said
    flags = _flags(tmp_path, run, **often)
    first = _start(["-c", HANGS], flags)
    try:
        _, state = os.waitpid(first.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(state), _ended(first)
        status, said = _ended(_start(module, flags))
        assert (status, f"in use by process {first.pid} on" in said) == (2, True), said
        second = _start(["-c", ELSEWHERE], flags)
        while _holder(run) == first.pid and second.poll() is None:
            time.sleep(0.05)
    finally:
        first.send_signal(signal.SIGCONT)
    status, said = _ended(first)
    assert (status, f"taken over by process {second.pid} on" in said) == (2, True), said
    status, said = _ended(second)
    assert status == 0, said
    assert f"Taking over {run} from process {first.pid}" in said

    assert _rows(run) == _rows(whole)
    weights, expected = _weights(run), _weights(whole)
    assert len(weights) > 5
    for name, value in expected.items():
        np.testing.assert_array_equal(weights[name], value, err_msg=name)
    assert not (run / "lock.json").exists()
