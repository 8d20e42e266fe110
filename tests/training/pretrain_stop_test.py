"""A stop, within an epoch or at its very end, costs nothing, nor does a crash."""

import json
import signal

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.progress import Progress
from simclr_tf.training import Diverged, Recipe, RunFolder, Stopped, pretrain
from simclr_tf.training.checkpoints import Checkpoints
from tests import tiny

pytestmark = pytest.mark.slow


@pytest.fixture
def recipe(images_npz, tmp_path):
    """Three epochs of three steps, the first with small views."""
    path = tmp_path / "images.npz"
    with np.load(images_npz) as arrays:
        np.savez(path, images=arrays["x_train"][:100], labels=arrays["y_train"][:100])
    return Recipe(
        dataset=f"npz:{path}",
        image_size=16,
        encoder=tiny.NAME,
        # Colours take their time to compile.
        color_strength=0.0,
        blur=False,
        batch_size=32,
        epochs=3,
        early_share=1 / 3,
        early_view_size=12,
        precision="float32",
    )


def _train(recipe, run):
    return pretrain(recipe, str(run), say=lambda line: None)


def _signal_after(monkeypatch, steps):
    """Sends this process a SIGTERM at the end of a step of the next run."""
    left = iter(range(steps - 1, -1, -1))

    def due(self):
        if next(left, None) == 0:
            signal.raise_signal(signal.SIGTERM)
        return False

    monkeypatch.setattr(Progress, "due", due)


def _metrics(run):
    rows = RunFolder(str(run)).read_metrics()
    return [{k: v for k, v in row.items() if k != "images_per_second"} for row in rows]


def _state(run):
    reader = tf.train.load_checkpoint(str(run / "checkpoints"))
    return {
        name: reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
        if not name.startswith(("seconds", "save_counter", "_CHECKPOINTABLE"))
    }


def test_stops_and_crashes_within_epochs_and_at_ends(recipe, tmp_path, monkeypatch):
    whole, run = tmp_path / "whole", tmp_path / "run"
    _train(recipe, whole)
    assert len(_metrics(whole)) == 3

    _signal_after(monkeypatch, 2)
    with pytest.raises(Stopped, match="after step 2 of 9"):
        _train(recipe, run)
    assert _metrics(run) == []

    _signal_after(monkeypatch, 1)
    with pytest.raises(Stopped, match="after step 3 of 9"):
        _train(recipe, run)
    assert _metrics(run) == _metrics(whole)[:1]

    save = Checkpoints.save

    def crash(self, step, seconds):
        raise OSError("disk full")

    monkeypatch.setattr(Checkpoints, "save", crash)
    with pytest.raises(OSError, match="disk full"):
        _train(recipe, run)
    monkeypatch.setattr(Checkpoints, "save", save)
    assert _metrics(run) == _metrics(whole)[:2]

    _signal_after(monkeypatch, 6)  # The last step: all is done.
    result = _train(recipe, run)
    assert result == json.loads((run / "result.json").read_text())
    assert result["steps"] == 9
    assert _metrics(run) == _metrics(whole)
    state = _state(run)
    assert state.keys() == _state(whole).keys()
    for name, value in _state(whole).items():
        np.testing.assert_array_equal(value, state[name], err_msg=name)


def test_features_that_are_no_numbers_end_the_run_with_advice(recipe, tmp_path):
    """One step an epoch: its loss was still that of the first weights."""
    wild = {"learning_rate": 1e30, "warmup_epochs": 0.0, "early_share": 0.0}
    recipe = Recipe(**{**vars(recipe), **wild, "batch_size": 100, "epochs": 1})
    with pytest.raises(Diverged, match="knn_accuracy became nan in epoch 1: lower"):
        _train(recipe, tmp_path / "run")
    assert _metrics(tmp_path / "run") == []
