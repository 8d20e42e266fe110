"""Fine-tuning: from a run to a classifier, resumed to the bit, alike on replicas."""

import dataclasses
import importlib
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.checkpoints.files import prefix_of
from simclr_tf.cli.main import main
from simclr_tf.data import load
from simclr_tf.errors import UserError
from simclr_tf.training import FineTuning, Recipe, Stopped, finetune, pretrain
from simclr_tf.training.run_folder import RunFolder
from tests import tiny
from tests.training.cut_short import before_the_first_step, without_export
from tests.training.ended_runs import (
    after,
    assert_same_state,
    send_sigterm,
    state_of,
)


def _images(count, classes, seed):
    """Noisy stripes, whose period tells the class."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    waves = np.arange(16)[None] * 2 * np.pi / (2 + 2 * labels[:, None])
    shades = np.sin(waves + generator.uniform(0, 6, [count, 1]))
    images = 128 + 80 * shades[:, None, :, None]
    images = images + generator.normal(0, 20, [count, 16, 16, 3])
    return images.clip(0, 255).astype(np.uint8), labels


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "stripes.npz"
    (x, y), (tx, ty) = _images(120, 3, 0), _images(60, 3, 1)
    names = np.array(["fine", "middle", "coarse"])
    np.savez(path, x_train=x, y_train=y, x_test=tx, y_test=ty, classes=names)
    return f"npz:{path}"


@pytest.fixture(scope="module")
def pretrained(data, tmp_path_factory):
    run = tmp_path_factory.mktemp("pretrained") / "run"
    recipe = Recipe(
        dataset=data,
        image_size=16,
        encoder=tiny.NAME,
        head_layers=2,
        head_out_dim=8,
        eval="",
        batch_size=12,
        epochs=1,
        early_share=0.0,
        precision="float32",
    )
    pretrain(recipe, str(run), say=lambda line: None)
    return run


@pytest.fixture(scope="module")
def said(pretrained):
    return FineTuning(
        init=str(pretrained),
        train_labels="0.5",
        head_layers_kept=1,
        batch_size=12,
        epochs=6,
        learning_rate=0.5,
    )


def _finetune(said, run, **options):
    lines = []
    result = finetune(said, str(run), **{"say": lines.append, **options})
    return result, "\n".join(lines)


@pytest.fixture(scope="module")
def whole(said, tmp_path_factory):
    run = tmp_path_factory.mktemp("whole") / "run"
    result, told = _finetune(said, run)
    return run, result, told


def test_the_result_says_how_good_it_is(whole, pretrained):
    run, result, told = whole
    assert json.loads((run / "result.json").read_text()) == result
    assert result["labels_used"] == 60
    assert "Labels used: 60 of 120, 20 of each class." in told
    assert "1 of 2 layers are kept" in told
    assert result["top1"] > 0.5  # A guess is right in a third.
    assert result["top5"] is None
    assert result["images"] == 60
    confusion = np.array(result["confusion"])
    assert confusion.sum(axis=1).tolist() == [20, 20, 20]
    assert result["top1"] == np.trace(confusion) / 60
    assert result["mean_per_class"] == pytest.approx(result["top1"])
    assert result["classes"] == ["fine", "middle", "coarse"]
    assert not result["pretrained_on_test_images"]
    rows = RunFolder(str(run)).read_metrics()
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert all(0 <= row["test_accuracy"] <= 1 for row in rows)


def test_the_classifier_is_as_good_as_it_says(whole, data):
    """With TensorFlow alone: see tests/export/classifier_test.py."""
    run, result, _ = whole
    test = load(data, "test")
    (batch,) = test.read(tf.data.Dataset.range(60).batch(60))
    loaded = tf.saved_model.load(str(run / "classifier"))
    unit = tf.constant(batch["image"].numpy() / 255.0, tf.float32)
    answer = loaded.signatures["classify"](images=unit)
    classes = [name.decode() for name in answer["classes"][0].numpy()]
    assert classes == result["classes"]
    guesses = np.argmax(answer["probabilities"], axis=1)
    assert np.mean(guesses == batch["label"].numpy()) == result["top1"]


def test_a_finished_run_takes_no_more_steps(whole, said, capsys):
    run, result, _ = whole
    before = (run / "metrics.jsonl").read_text()
    again, told = _finetune(dataclasses.replace(said, batch_size=None), run)
    assert again == result
    assert "All 30 steps were taken before" in told
    assert (run / "metrics.jsonl").read_text() == before
    # What was lost of its end is made again.
    (run / "result.json").unlink()
    shutil.rmtree(run / "classifier")
    assert main(["finetune", f"--flagfile={run / 'flags.txt'}", f"--run={run}"]) == 0
    again = json.loads((run / "result.json").read_text())
    assert again["confusion"] == result["confusion"]
    assert "from 60 labels: top-1" in capsys.readouterr().out
    assert (run / "classifier" / "saved_model.pb").exists()


def test_stopped_in_the_middle_it_ends_as_if_it_had_not(whole, said, tmp_path):
    run, result, _ = whole
    stopped = tmp_path / "run"
    with after(8, send_sigterm), pytest.raises(Stopped, match="after step 8 of 30"):
        _finetune(said, stopped)
    with without_export():
        again, told = _finetune(said, stopped)
    assert "Resuming after step 8." in told
    assert "starts from" not in told
    assert_same_state(stopped, run)
    for name in ("top1", "confusion", "labels_used", "steps"):
        assert again[name] == result[name]


def _weights_of(strategy, said, run):
    tf.keras.backend.set_floatx("float64")
    with without_export():
        finetune(said, run, strategy=strategy, say=lambda line: None)
    return _state_of(run)


def _state_of(run):
    reader = tf.train.load_checkpoint(prefix_of(f"{run}/checkpoints", 10))
    names = reader.get_variable_to_shape_map()
    return {
        name: reader.get_tensor(name)
        for name in names
        if name.startswith("model/") and "_random_generator" not in name
    }


@pytest.mark.slow
@pytest.mark.xdist_group("replicas 2")
def test_two_replicas_train_as_one_device(replicas, said, tmp_path):
    # The run to start from is in float32.
    said = dataclasses.replace(said, epochs=2, from_scratch=True, head_layers_kept=0)
    strategy = tf.distribute.get_strategy()
    one = _weights_of(strategy, said, str(tmp_path / "one"))
    two = replicas(2).run(_weights_of, said=said, run=str(tmp_path / "two"))
    assert one.keys() == two.keys()
    for name, value in one.items():
        if value.dtype == np.float64:
            np.testing.assert_allclose(
                two[name], value, rtol=1e-9, atol=1e-12, err_msg=name
            )


def test_a_frozen_encoder_is_that_of_the_run(pretrained, said, tmp_path):
    frozen = dataclasses.replace(
        said, fine_tune_after_block=4, head_layers_kept=0, epochs=1
    )
    with without_export():
        _, told = _finetune(frozen, tmp_path / "run")
    assert "frozen up to block 4" in told
    weights = RunFolder(str(pretrained)).load_model(lambda line: None).encoder.variables
    state = state_of(tmp_path / "run")
    kept = [v for name, v in state.items() if name.startswith("model/encoder/")]
    for weight in weights:
        assert any(np.array_equal(weight, each) for each in kept), weight.name


def test_from_scratch_nothing_of_the_run_is_taken(said, tmp_path):
    anew = dataclasses.replace(
        said, from_scratch=True, head_layers_kept=0, train_labels="all"
    )
    lines = []
    with before_the_first_step(), pytest.raises(Stopped):
        finetune(anew, str(tmp_path / "run"), say=lines.append)
    told = "\n".join(lines)
    assert "from random weights" in told
    assert "starts from" not in told
    assert "Labels used: 120 of 120" in told


def test_from_scratch_views_are_of_the_size_of_the_images(
    said, data, tmp_path, monkeypatch
):
    """Where no run says another one."""

    def stop(task, run, on):
        raise Stopped(str(task.settings.image_size))

    finetuning = importlib.import_module("simclr_tf.training.finetune")
    monkeypatch.setattr(finetuning, "train_classifier", stop)
    alone = dataclasses.replace(
        said,
        init=None,
        dataset=data,
        encoder=tiny.NAME,
        image_size=None,
        from_scratch=True,
        head_layers_kept=0,
    )
    with pytest.raises(Stopped, match=r"^16$"):
        finetune(alone, str(tmp_path / "run"), say=lambda line: None)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"init": None}, "Say what is fine-tuned with --init=PATH"),
        ({"init": None, "from_scratch": True, "head_layers_kept": 0}, "--encoder"),
        ({"init": "nowhere"}, "nowhere is neither a run folder"),
        ({"head_layers_kept": 3}, "at most the layers of the projection head"),
        ({"dataset": "npz:nowhere.npz"}, "nowhere.npz"),
        ({"train_labels": "500-per-class"}, "no class of .* has more than 40"),
        ({"fine_tune_after_block": 2}, "the parts between are known of resnets"),
        ({"channels": 1}, "channels"),
    ],
)
def test_mistakes_are_told_before_any_work(said, settings, told, tmp_path):
    with pytest.raises(UserError, match=told):
        _finetune(dataclasses.replace(said, **settings), tmp_path / "run")
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_the_run_of_the_start_is_not_written_over(said, pretrained):
    with pytest.raises(UserError, match="a run of simclr pretrain, where one of"):
        _finetune(said, pretrained)


def test_the_command(pretrained, tmp_path, capsys):
    run = tmp_path / "run"
    flags = [f"--init={pretrained}", "--train_labels=5-per-class", "--epochs=1"]
    again = tmp_path / "again"
    with before_the_first_step():
        assert main(["finetune", *flags, f"--run={run}"]) == 75
        told = capsys.readouterr().out
        repeated = [f"--flagfile={run / 'flags.txt'}", f"--run={again}"]
        assert main(["finetune", *repeated]) == 75
    assert "Labels used: 15 of 120, 5 of each class." in told
    assert (again / "flags.txt").read_text() == (run / "flags.txt").read_text()
    assert main(["knn", f"--run={run}"]) == 2
    assert "holds a run of simclr finetune" in capsys.readouterr().err
