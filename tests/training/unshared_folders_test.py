"""Two workers whose run folders are not one folder refuse to train two runs."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from simclr_tf.training import Recipe, RunFolder, pretrain
from tests import tiny
from tests.distribution.local_cluster import configs

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_workers_that_resume_from_different_steps_say_so_and_end(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, [16, 16, 16, 3], np.uint8)
    np.savez(tmp_path / "images.npz", images=images)
    recipe = Recipe(
        dataset=f"npz:{tmp_path / 'images.npz'}",
        image_size=16,
        encoder=tiny.NAME,
        head_layers=1,
        color_strength=0.0,
        augment_on="device",
        batch_size=16,
        epochs=1,
        early_share=0.0,
        precision="float32",
    )
    trained, other = tmp_path / "trained", tmp_path / "other"
    pretrain(recipe, str(trained), say=lambda line: None)
    before = RunFolder(str(trained)).read_result()

    workers = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "simclr_tf", "pretrain"),
                *(f"--flagfile={trained / 'flags.txt'}", f"--run={run}"),
            ],
            cwd=ROOT,
            env={**os.environ, "TF_CONFIG": config},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for run, config in zip((trained, other), configs(2))
    ]
    for number, worker in enumerate(workers):
        said, complaints = worker.communicate(timeout=400)
        assert worker.returncode == 2, complaints
        line = complaints.splitlines()[-1]
        told = f"steps done (worker 1 differs from worker 0; here {1 - number})"
        assert told in line
        assert "--run must be one folder" in line
        assert "saved" not in said + complaints
    assert RunFolder(str(trained)).read_result() == before
    assert not (other / "result.json").exists()
