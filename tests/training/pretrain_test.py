"""Training on real images: what it writes, and that stopping costs nothing."""

import dataclasses
import json
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.data import DataError
from simclr_tf.training import Diverged, Recipe, RunFolder, pretrain
from simclr_tf.training.run_folder import to_flagfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPEED = {"images_per_second"}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def images(shared, tmp_path_factory):
    """320 images of CIFAR-10 with labels, and the same without."""
    folder = tmp_path_factory.mktemp("images")
    with np.load(shared / "data" / "cifar10_10k.npz") as arrays:
        x, y = arrays["x_train"][:320], arrays["y_train"][:320]
        test = {"x_test": arrays["x_test"][:100], "y_test": arrays["y_test"][:100]}
    np.savez(folder / "labelled.npz", x_train=x, y_train=y, **test)
    np.savez(folder / "bare.npz", x_train=x)
    return folder


@pytest.fixture(scope="module")
def recipe(images):
    """Four epochs of ten steps, the first two with small views."""
    return Recipe(
        dataset=f"npz:{images / 'labelled.npz'}",
        image_size=16,
        encoder="resnet18x0.0625",
        batch_size=32,
        epochs=4,
        early_share=0.5,
        early_view_size=12,
        precision="float32",
    )


def command(recipe, run):
    run.parent.mkdir(parents=True, exist_ok=True)
    flags = run.parent / f"{run.name}.txt"
    flags.write_text(to_flagfile(recipe))
    return [
        *(sys.executable, "-m", "simclr_tf", "pretrain"),
        *(f"--flagfile={flags}", f"--run={run}"),
    ]


def start(recipe, run):
    return subprocess.Popen(
        command(recipe, run),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def whole(recipe, tmp_path_factory):
    """A run in a process of its own that nothing stopped."""
    run = tmp_path_factory.mktemp("whole") / "run"
    process = start(recipe, run)
    said, complaints = process.communicate(timeout=500)
    assert process.returncode == 0, complaints
    assert "epoch 4/4" in said
    return run


def metrics(run):
    rows = RunFolder(str(run)).read_metrics()
    return [{k: v for k, v in row.items() if k not in SPEED} for row in rows]


def state(run):
    """Every tensor of the newest checkpoint but the time spent and saves counted."""
    reader = tf.train.load_checkpoint(str(run / "checkpoints"))
    names = [
        name
        for name in reader.get_variable_to_shape_map()
        if not name.startswith(("seconds", "save_counter"))
    ]
    return {name: reader.get_tensor(name) for name in names}


def test_the_run_folder_is_complete(whole, recipe):
    rows = RunFolder(str(whole)).read_metrics()
    assert [(row["step"], row["epoch"]) for row in rows] == [
        (10, 1),
        (20, 2),
        (30, 3),
        (40, 4),
    ]
    wanted = {"loss", "contrastive_loss", "contrastive_accuracy", "contrastive_entropy"}
    wanted |= {"probe_loss", "probe_accuracy", "knn_accuracy", "images_per_second"}
    assert wanted <= set(rows[0])
    assert rows[-1]["contrastive_loss"] < rows[0]["contrastive_loss"]

    result = json.loads((whole / "result.json").read_text())
    assert result["steps"] == 40
    assert result["metrics"] == rows[-1]
    assert result["seconds"] > 0
    assert result["images_per_second"] > 0
    assert result["versions"]["tensorflow"] == tf.__version__
    assert list((whole / "tensorboard").iterdir())
    resolved = RunFolder(str(whole)).recipe()
    assert resolved == recipe.resolved()


def test_load_model_gives_the_trained_encoder(whole):
    model = RunFolder(str(whole)).load_model()
    saved = state(whole)
    kernel = next(
        v for v in model.encoder.trainable_variables if len(v.shape) == 4
    ).numpy()
    assert any(np.array_equal(kernel, value) for value in saved.values())
    features = model(np.zeros([2, 16, 16, 3], np.uint8))
    assert features.shape == (2, 32)


def test_stopped_in_mid_epoch_and_resumed_equals_never_stopped(whole, recipe, tmp_path):
    """A real signal, twice: among small views and among large ones."""
    run = tmp_path / "run"
    for epochs_before in (1, 2):
        process = start(recipe, run)
        while len(metrics(run)) < epochs_before:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        _, complaints = process.communicate(timeout=300)
        assert process.returncode == 75, complaints
        assert "The same command resumes it" in complaints
        assert len(metrics(run)) < 4
    process = start(recipe, run)
    said, complaints = process.communicate(timeout=500)
    assert process.returncode == 0, complaints
    assert "Resuming after step" in said

    assert metrics(run) == metrics(whole)
    once, again = state(whole), state(run)
    assert once.keys() == again.keys()
    for name, value in once.items():
        np.testing.assert_array_equal(value, again[name], err_msg=name)


def test_without_labels_no_accuracy_is_claimed(images, recipe, tmp_path):
    bare = dataclasses.replace(
        recipe, dataset=f"npz:{images / 'bare.npz'}", epochs=1, early_share=0.0
    )
    lines = []
    result = pretrain(bare, str(tmp_path / "run"), say=lines.append)
    assert not {"probe_accuracy", "knn_accuracy"} & set(result["metrics"])
    assert "kNN" not in "".join(lines)


def test_a_loss_that_is_no_number_ends_the_run_with_advice(recipe, tmp_path):
    wild = dataclasses.replace(
        recipe, learning_rate=1e30, warmup_epochs=0.0, early_share=0.0
    )
    with pytest.raises(Diverged, match="lower --learning_rate"):
        pretrain(wild, str(tmp_path / "run"), say=lambda line: None)


def test_a_batch_larger_than_the_dataset_is_refused_before_a_run_is_begun(
    recipe, tmp_path
):
    with pytest.raises(DataError, match="batch_size is 321"):
        pretrain(dataclasses.replace(recipe, batch_size=321), str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
