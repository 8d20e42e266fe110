"""Killed at any moment, again and again, a run ends with the weights of a whole one."""

import functools
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from simclr_tf.checkpoints.files import checkpoint_steps
from simclr_tf.distribution import make_strategy
from simclr_tf.training import (
    Distillation,
    FineTuning,
    Recipe,
    distill,
    finetune,
    pretrain,
)
from tests import tiny
from tests.training.cut_short import without_export
from tests.training.ended_runs import assert_same_state, rows_of, state_of

pytestmark = pytest.mark.exhaustive

ROOT = pathlib.Path(__file__).resolve().parents[2]
STEPS = 40  # an epoch
KILLS = int(os.environ.get("SIMCLR_KILLS", "4"))


def _whole_pretraining(dataset, run, **options):
    recipe = Recipe(
        dataset=dataset,
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
    pretrain(recipe, str(run), **options)


def _whole_fine_tuning(dataset, run, **options):
    settings = FineTuning(
        from_scratch=True,
        dataset=dataset,
        image_size=16,
        encoder=tiny.NAME,
        batch_size=4,
        epochs=2,
    )
    finetune(settings, str(run), **options)


def _whole_distillation(dataset, run, **options):
    teacher = run.with_name("teacher")
    _whole_fine_tuning(dataset, teacher, **options)
    settings = Distillation(
        teacher=str(teacher), label_weight=0.5, batch_size=4, epochs=2
    )
    distill(settings, str(run), **options)


WHOLE = {
    "pretrain": _whole_pretraining,
    "finetune": _whole_fine_tuning,
    "distill": _whole_distillation,
}


def _start(command, run, flags):
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "simclr_tf", command),
            *(f"--flagfile={flags}", f"--run={run}", "--checkpoint_minutes=0"),
            *(["--noreport"] if command == "pretrain" else []),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _newest(run):
    return max(checkpoint_steps(str(run / "checkpoints")), default=0)


@pytest.mark.parametrize("command", list(WHOLE))
def test_killed_at_random_moments(command, tmp_path):
    generator = np.random.default_rng(0)
    arrays = {
        f"{name}_{part}": generator.integers(0, most, [count, *shape], np.uint8)
        for part, count in (("train", 4 * STEPS), ("test", 20))
        for name, most, shape in (("x", 256, [16, 16, 3]), ("y", 3, []))
    }
    np.savez(tmp_path / "images.npz", **arrays)
    whole, run = tmp_path / "whole", tmp_path / "run"
    # On a device named as the command names it: without, last bits are rounded apart.
    strategy = make_strategy("one", say=lambda line: None)
    with without_export():
        WHOLE[command](
            f"npz:{tmp_path / 'images.npz'}",
            whole,
            strategy=strategy,
            say=lambda line: None,
        )
    start = functools.partial(_start, command, run, whole / "flags.txt")
    draws = random.Random(0)
    killed_after = []
    for _ in range(KILLS):
        process, before = start(), _newest(run)
        if draws.random() < 0.75:  # Otherwise at its start.
            while _newest(run) == before and process.poll() is None:
                time.sleep(0.01)
        time.sleep(draws.random())
        process.send_signal(signal.SIGKILL)
        _, complaints = process.communicate()
        assert process.returncode in (-signal.SIGKILL, 0), complaints
        killed_after.append(_newest(run))
    assert any(step % STEPS for step in killed_after), killed_after

    process = start()
    _, complaints = process.communicate(timeout=400)
    assert process.returncode == 0, complaints
    assert rows_of(run) == rows_of(whole)
    assert _newest(run) == _newest(whole) == 2 * STEPS
    assert len(state_of(whole)) > 10
    assert_same_state(run, whole)
    leftovers = [path for path in run.rglob("*") if path.name.startswith(".")]
    assert leftovers == []
    assert not (run / "lock.json").exists()
