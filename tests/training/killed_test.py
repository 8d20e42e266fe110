"""Killed at any moment, again and again, a run ends with the weights of a whole one."""

import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.checkpoints.files import checkpoint_steps, prefix_of
from simclr_tf.distribution import make_strategy
from simclr_tf.training import Recipe, RunFolder, pretrain
from tests import tiny

pytestmark = pytest.mark.exhaustive

ROOT = pathlib.Path(__file__).resolve().parents[2]
STEPS = 40  # an epoch
KILLS = int(os.environ.get("SIMCLR_KILLS", "4"))


def _recipe(folder):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, [4 * STEPS, 16, 16, 3], np.uint8)
    np.savez(folder / "images.npz", images=images)
    return Recipe(
        dataset=f"npz:{folder / 'images.npz'}",
        image_size=16,
        encoder=tiny.NAME,
        head_layers=1,
        color_strength=0.0,
        eval="",
        augment_on="device",
        batch_size=4,
        epochs=2,
        early_share=0.0,
        precision="float32",
    )


def _start(run, flags):
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "simclr_tf", "pretrain"),
            *(f"--flagfile={flags}", f"--run={run}", "--checkpoint_minutes=0"),
            "--noreport",
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _newest(run):
    return max(checkpoint_steps(str(run / "checkpoints")), default=0)


def _metrics(run):
    rows = RunFolder(str(run)).read_metrics()
    return [{k: v for k, v in row.items() if k != "images_per_second"} for row in rows]


def test_killed_at_random_moments(tmp_path):
    recipe = _recipe(tmp_path)
    whole, run = tmp_path / "whole", tmp_path / "run"
    # On a device named as the command names it: without, last bits are rounded apart.
    strategy = make_strategy("one", say=lambda line: None)
    pretrain(recipe, str(whole), strategy=strategy, say=lambda line: None)
    draws = random.Random(0)
    killed_after = []
    for _ in range(KILLS):
        process, before = _start(run, whole / "flags.txt"), _newest(run)
        if draws.random() < 0.75:  # Otherwise at its start.
            while _newest(run) == before and process.poll() is None:
                time.sleep(0.01)
        time.sleep(draws.random())
        process.send_signal(signal.SIGKILL)
        _, complaints = process.communicate()
        assert process.returncode in (-signal.SIGKILL, 0), complaints
        killed_after.append(_newest(run))
    assert any(step % STEPS for step in killed_after), killed_after

    process = _start(run, whole / "flags.txt")
    _, complaints = process.communicate(timeout=400)
    assert process.returncode == 0, complaints
    assert _metrics(run) == _metrics(whole)
    readers = [
        tf.train.load_checkpoint(prefix_of(str(path / "checkpoints"), 2 * STEPS))
        for path in (whole, run)
    ]
    names = [
        name
        for name in readers[0].get_variable_to_shape_map()
        if not name.startswith(("seconds", "_CHECKPOINTABLE"))
        and "_random_generator" not in name
    ]
    assert len(names) > 10
    for name in names:
        expected, found = (reader.get_tensor(name) for reader in readers)
        np.testing.assert_array_equal(found, expected, err_msg=name)
    leftovers = [path for path in run.rglob("*") if path.name.startswith(".")]
    assert leftovers == []
    assert not (run / "lock.json").exists()
