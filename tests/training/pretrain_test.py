"""Training on images: what it writes, and that stopping costs nothing."""

import dataclasses
import importlib
import json
import math
import pathlib
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.data import DataError, load
from simclr_tf.distribution import make_strategy
from simclr_tf.evaluators import Monitor, make_evaluators
from simclr_tf.training import (
    Diverged,
    Recipe,
    RunFolder,
    RunFolderError,
    build_model,
    pretrain,
)
from simclr_tf.training.flagfile import to_flagfile
from tests import tiny

ROOT = pathlib.Path(__file__).resolve().parents[2]
STEPS = 10  # an epoch
GEOMETRY = ("alignment", "uniformity", "effective_rank", "deviation")
# The room gives the function's name to the function.
loop = importlib.import_module("simclr_tf.training.pretrain")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def images(images_npz, tmp_path_factory):
    """320 images with labels, and the same without."""
    folder = tmp_path_factory.mktemp("images")
    with np.load(images_npz) as arrays:
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
        encoder=tiny.NAME,
        head_layers=1,
        # Colours take their time to compile.
        color_strength=0.0,
        blur=False,
        batch_size=32,
        epochs=4,
        early_share=0.5,
        early_view_size=12,
        precision="float32",
    )


def start(recipe, run):
    flags = run.parent / f"{run.name}.txt"
    flags.write_text(to_flagfile(recipe))
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "simclr_tf", "pretrain"),
            *(f"--flagfile={flags}", f"--run={run}", "--noreport"),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def train_here(recipe, run):
    """The same in this process; gives what was said.

    The command names its device even where there is one; without a strategy the last
    bits of the optimizer's state are others.
    """
    lines = []
    strategy = make_strategy("one", say=lines.append)
    pretrain(recipe, str(run), strategy=strategy, say=lines.append)
    return "\n".join(lines)


def await_checkpoint(process, run, step):
    """Returns once the state after `step` steps is saved."""
    wanted = str(run / "checkpoints" / f"ckpt-{step}")
    while tf.train.latest_checkpoint(str(run / "checkpoints")) != wanted:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


@pytest.fixture(scope="module")
def whole(recipe, tmp_path_factory):
    """A run that nothing stopped."""
    run = tmp_path_factory.mktemp("whole") / "run"
    said = train_here(recipe, run)
    assert "first 2 epochs 12 px" in said
    assert "epoch 4/4" in said
    assert "Verdict: learned" in said  # "learned" or "learned little"
    return run


def metrics(run):
    """All that metrics.jsonl holds but speeds."""
    rows = RunFolder(str(run)).read_metrics()
    return [
        {name: value for name, value in row.items() if name != "images_per_second"}
        for row in rows
    ]


def state(run):
    """Every tensor of the newest checkpoint but the time spent and saves counted."""
    reader = tf.train.load_checkpoint(str(run / "checkpoints"))
    return {
        name: reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
        if not name.startswith(("seconds", "save_counter", "_CHECKPOINTABLE"))
        # keras-cv's own generator, which nothing draws from.
        and "_random_generator" not in name
    }


def test_the_run_folder_is_complete(whole, recipe):
    assert sorted(path.name for path in whole.iterdir()) == [
        *("checkpoints", "data.json", "flags.txt", "floors.json", "metrics.jsonl"),
        *("result.json", "tensorboard"),
    ]
    assert RunFolder(str(whole)).recipe() == recipe.resolve()

    rows = [json.loads(line) for line in (whole / "metrics.jsonl").open()]
    assert [(row["step"], row["epoch"]) for row in rows] == [
        (STEPS * epoch, epoch) for epoch in (1, 2, 3, 4)
    ]
    for row in rows:
        assert set(row) == {
            *("step", "epoch", "images_per_second", "loss"),
            *("contrastive_loss", "contrastive_accuracy", "contrastive_entropy"),
            *("probe_loss", "probe_accuracy", "knn_accuracy"),
            *("learning_rate", "gradient_norm", "weight_norm"),
            *GEOMETRY,
        }
        assert row["images_per_second"] > 0
        for name in ("contrastive_accuracy", "probe_accuracy", "knn_accuracy"):
            assert 0 <= row[name] <= 1

    result = json.loads((whole / "result.json").read_text())
    assert result["steps"] == 4 * STEPS
    assert result["epochs"] == 4
    assert result["metrics"] == rows[-1]
    assert result["seconds"] > 0
    assert result["images_per_second"] > 0
    assert result["encoder_parameters"] == _model(whole).encoder.count_params()
    assert result["versions"]["tensorflow"] == tf.__version__
    assert set(result["versions"]) == {"simclr_tf", "tensorflow", "python"}

    measured = json.loads((whole / "floors.json").read_text())
    assert result["floors"] == measured["floors"]
    assert result["floors"]["chance"]["contrastive_loss"] == math.log(2 * 32 - 1)
    end = {name: measured["end"][name] for name in ("knn_accuracy", *GEOMETRY)}
    assert end == {name: rows[-1][name] for name in end}
    # Which of the images were right, for the error of their difference.
    before, now = measured["right"]["before training"], measured["end_right"]
    for right, values in ((before, measured["floors"]["start"]), (now, end)):
        mean = np.mean([*map(int, right["knn_accuracy"])]) / 2
        assert mean == pytest.approx(values["knn_accuracy"])
    assert result["verdict"]["basis"] == "labels"
    assert result["verdict"]["learned"] is not None


def _model(run):
    return RunFolder(str(run)).load_model()


def test_the_loss_falls(whole):
    """Among small views, and from those to whole ones."""
    losses = [row["contrastive_loss"] for row in metrics(whole)]
    assert losses[1] < losses[0] - 0.1
    assert max(losses[2:]) < losses[0] - 0.1


def test_tensorboard_holds_the_same_metrics(whole):
    rows = {row["step"]: row for row in RunFolder(str(whole)).read_metrics()}
    seen = {step: {} for step in rows}
    for file in (whole / "tensorboard").iterdir():
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            for value in event.summary.value:
                seen[event.step][value.tag] = float(tf.make_ndarray(value.tensor))
    for step, row in rows.items():
        assert seen[step] == pytest.approx(row, rel=1e-6)


def test_load_model_gives_the_trained_weights(whole, recipe):
    """The last evaluation again, to the digit, and each weight of the checkpoint."""
    model = _model(whole)
    image_size = {"image_size": 16}
    bank = load(recipe.dataset, "train", **image_size)
    queries = load(recipe.dataset, "test", **image_size)
    evaluators = make_evaluators("knn,geometry")
    measured, _ = Monitor(evaluators, bank, queries, 16, model.augmenter).run(model)
    assert measured == {name: metrics(whole)[-1][name] for name in measured}

    assert model.probe is None
    saved = sorted(
        value.tobytes()
        for name, value in state(whole).items()
        if name.startswith(("model/encoder", "model/projection_head"))
        and ".OPTIMIZER_SLOT" not in name
    )
    assert sorted(weight.tobytes() for weight in model.get_weights()) == saved
    fresh = build_model(recipe.resolve())
    assert any(
        not np.array_equal(weight, other)
        for weight, other in zip(model.get_weights(), fresh.get_weights())
    )


@pytest.mark.exhaustive
@pytest.mark.parametrize("killed", [False, True])
def test_stopped_in_mid_epoch_and_resumed_equals_never_stopped(
    whole, recipe, tmp_path, killed
):
    """Real signals: one among small views or at the first of large ones, a kill.

    In `resume_test.py` signals come at steps that are known.
    """
    run = tmp_path / "run"
    process = start(recipe, run)
    await_checkpoint(process, run, STEPS)
    process.send_signal(signal.SIGTERM)
    _, complaints = process.communicate(timeout=600)
    assert process.returncode == 75, complaints
    assert "The same command resumes it" in complaints
    stopped_after = int(re.search(r"after step (\d+) of 40", complaints)[1])
    assert not (run / "result.json").exists()

    if killed:
        process = start(recipe, run)
        await_checkpoint(process, run, 3 * STEPS)
        process.kill()
        said, _ = process.communicate()
        assert f"Resuming after step {stopped_after}." in said

    said = train_here(recipe, run)
    told = "Resuming after step" if killed else f"Resuming after step {stopped_after}."
    assert told in said

    assert metrics(run) == metrics(whole)
    once, again = state(whole), state(run)
    assert once.keys() == again.keys()
    for part in ("model/encoder", "optimizer/", "metrics/"):
        assert any(name.startswith(part) for name in once), part
    for name, value in once.items():
        np.testing.assert_array_equal(value, again[name], err_msg=name)


@pytest.mark.exhaustive
def test_without_labels_no_accuracy_is_claimed_and_learning_is_the_same(
    images, recipe, tmp_path
):
    """One step: later ones multiply what float32 rounded."""
    labelled = dataclasses.replace(
        recipe, batch_size=320, epochs=1, augment_on="device"
    )
    bare = dataclasses.replace(labelled, dataset=f"npz:{images / 'bare.npz'}")
    lines = []
    result = pretrain(bare, str(tmp_path / "bare"), say=lines.append)
    assert set(result["metrics"]) == {
        *("step", "epoch", "images_per_second", "loss"),
        *("contrastive_loss", "contrastive_accuracy", "contrastive_entropy"),
        *("learning_rate", "gradient_norm", "weight_norm"),
        *GEOMETRY,
    }
    assert not re.search("kNN|probe|classes", "".join(lines))
    pretrain(labelled, str(tmp_path / "labelled"), say=lines.append)
    (row,), (other,) = metrics(tmp_path / "bare"), metrics(tmp_path / "labelled")
    assert row["loss"] == row["contrastive_loss"]
    assert row["loss"] == pytest.approx(other["contrastive_loss"], rel=1e-6)


def test_a_collapse_is_said_and_unlabelled_images_are_judged_by_labels_of_others(
    images, recipe, tmp_path
):
    """By weight decay that leaves of an encoder its biases alone."""
    bare = dataclasses.replace(
        recipe,
        dataset=f"npz:{images / 'bare.npz'}",
        eval_dataset=recipe.dataset,
        eval="ridge,geometry",
        eval_every=2,
        augment_on="device",
        epochs=2,
        early_share=0.0,
        optimizer="sgd",
        encoder=tiny.COLLAPSING_NAME,
        weight_decay=1.0,
        learning_rate=0.5,
        warmup_epochs=0.0,
    )
    lines = []
    pretrain(bare, str(tmp_path / "run"), say=lines.append)
    said = "\n".join(lines)
    assert "Measured on npz:" in said
    assert said.count("the encoder has collapsed") == 1, said
    before, row = metrics(tmp_path / "run")
    assert "ridge_accuracy" not in before
    assert 0.0 < row["ridge_accuracy"] <= 1.0
    assert "Verdict: learned little: " in said
    assert "Why: the representations have collapsed" in said
    assert row["deviation"] < 0.1


@pytest.mark.exhaustive
def test_a_run_keeps_the_precision_that_the_machine_it_began_on_chose(
    images, recipe, tmp_path, monkeypatch
):
    run, lines = tmp_path / "run", []
    left_open = dataclasses.replace(
        recipe,
        labels=False,
        augment_on="device",
        batch_size=320,
        epochs=1,
        early_share=0.0,
        precision=None,
    )
    for fast in (True, False):
        monkeypatch.setattr(loop, "has_fast_bfloat16", lambda strategy, f=fast: f)
        pretrain(left_open, str(run), say=lines.append)
        assert RunFolder(str(run)).recipe().precision == "bfloat16"
    assert "Resuming after step 1." in "".join(lines)
    assert "--precision=float32 is" not in "".join(lines)

    asked = dataclasses.replace(left_open, precision="bfloat16")
    pretrain(asked, str(tmp_path / "slow"), say=lines.append)
    assert "--precision=float32 is" in "".join(lines)


@pytest.mark.exhaustive
def test_a_loss_that_is_no_number_ends_the_run_with_advice(recipe, tmp_path):
    wild = dataclasses.replace(
        recipe,
        labels=False,
        augment_on="device",
        learning_rate=1e30,
        warmup_epochs=0.0,
        early_share=0.0,
        eval="",
    )
    run = tmp_path / "run"
    with pytest.raises(Diverged, match="loss became nan in epoch 1: lower --learning"):
        pretrain(wild, str(run), say=lambda line: None)
    assert metrics(run) == []
    assert not (run / "result.json").exists()
    with pytest.raises(RunFolderError, match=r"learning_rate was 1e\+30 and is 0\.1"):
        pretrain(dataclasses.replace(wild, learning_rate=0.1), str(run))


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"batch_size": 321}, DataError, r"batch_size is 321 and .* holds 320 images"),
        ({"epochs": 0}, ValueError, "epochs must be 1 or more"),
        ({"encoder": "resnet19"}, ValueError, "encoder 'resnet19' is unknown"),
        ({"optimizer": "adam"}, ValueError, "optimizer must be one of .*'adam'"),
        ({"precision": "float8"}, ValueError, "precision must be one of .*'float8'"),
        (
            {"head_hidden_dim": 0},
            ValueError,
            "head_hidden_dim must be 1 or more, got 0",
        ),
        ({"learning_rate_scaling": "log"}, ValueError, "scaling must be .*'log'"),
        ({"dataset": "npz:nowhere.npz"}, DataError, r"nowhere\.npz"),
        ({"test_dataset": "npz:nowhere.npz"}, DataError, r"nowhere\.npz"),
    ],
)
def test_a_mistake_is_told_before_a_run_is_begun(
    recipe, tmp_path, change, kind, message
):
    run = tmp_path / "run"
    with pytest.raises(kind, match=message):
        pretrain(dataclasses.replace(recipe, **change), str(run))
    assert not run.exists()
