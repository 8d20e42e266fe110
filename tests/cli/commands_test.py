"""Each command, used as a user would, on one small real run."""

import contextlib
import importlib
import io
import json
import math
import re

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from simclr_tf.cli.main import main
from simclr_tf.evaluation import knn, linear_probe
from simclr_tf.training import RunFolder, Stopped
from tests import tiny

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dataset(images_npz, tmp_path_factory):
    """400 images to learn from, 100 to test on."""
    with np.load(images_npz) as arrays:
        path = tmp_path_factory.mktemp("data") / "images.npz"
        np.savez(
            path,
            x_train=arrays["x_train"][:400],
            y_train=arrays["y_train"][:400],
            x_test=arrays["x_test"][:100],
            y_test=arrays["y_test"][:100],
            classes=arrays["classes"],
        )
    return f"npz:{path}"


@pytest.fixture(scope="module")
def flags(dataset, tmp_path_factory):
    """A flagfile of a run of two short epochs."""
    path = tmp_path_factory.mktemp("flags") / "flags.txt"
    path.write_text(
        f"# A comment.\n--dataset={dataset}\n--encoder={tiny.NAME}\n--epochs=2\n"
        "--batch_size=64\n--head_layers=1\n--early_share=0\n--precision=float32\n"
        # Colours take their time to compile.
        "--views=crop|flip\n"
    )
    return path


@pytest.fixture(scope="module")
def shown(flags, tmp_path_factory):
    """A run folder, and what making it showed."""
    path, output = tmp_path_factory.mktemp("runs") / "run", io.StringIO()
    with contextlib.redirect_stdout(output):
        assert main(["pretrain", f"--flagfile={flags}", f"--run={path}"]) == 0
    return path, output.getvalue()


@pytest.fixture(scope="module")
def run(shown):
    return shown[0]


def arrays_of(path):
    with np.load(path) as arrays:
        return dict(arrays)


def test_pretrain_writes_the_run_folder(run):
    written = {path.name for path in run.iterdir()}
    assert {
        "flags.txt",
        "metrics.jsonl",
        "checkpoints",
        "tensorboard",
        "result.json",
        "report.html",
    } <= written
    result = json.loads((run / "result.json").read_text())
    assert result["steps"] == 2 * (400 // 64)


def test_pretrain_shows_what_a_person_wants_to_know(shown):
    shown = shown[1]
    for word in ("400 images", "10 classes", "parameters", "epoch 1/2", "epoch 2/2"):
        assert word in shown
    last = next(line for line in shown.splitlines() if line.startswith("epoch 2/2"))
    for word in ("contrastive loss", "acc", "probe", "kNN", "images/s", "left"):
        assert word in last
    # In metrics.jsonl that is what is minimised.
    assert not re.search(r"  loss \d", shown)
    assert "\nVerdict: learned" in shown  # "learned" or "learned little"


def test_the_runs_own_flagfile_repeats_it(run, tmp_path, monkeypatch):
    """Up to the first step: the same recipe takes the same steps."""

    def stop(*_):
        raise Stopped("before anything is measured")

    pretraining = importlib.import_module("simclr_tf.training.pretrain")
    monkeypatch.setattr(pretraining, "begin_judging", stop)
    again = tmp_path / "again"
    assert main(["pretrain", f"--flagfile={run / 'flags.txt'}", f"--run={again}"]) == 75
    first, second = (RunFolder(str(path)).recipe() for path in (run, again))
    assert first == second
    assert (again / "flags.txt").read_text() == (run / "flags.txt").read_text()


def test_pretrain_again_on_a_finished_run_changes_nothing(run, flags, capsys):
    before = (run / "metrics.jsonl").read_text()
    assert main(["pretrain", f"--flagfile={flags}", f"--run={run}"]) == 0
    assert "Resuming after step 12" in capsys.readouterr().out
    assert (run / "metrics.jsonl").read_text() == before


def test_pretrain_refuses_a_run_of_other_settings(run, flags, capsys):
    status = main(
        ["pretrain", f"--flagfile={flags}", f"--run={run}", "--temperature=0.5"]
    )
    assert status == 2
    assert "temperature was 0.2 and is 0.5" in capsys.readouterr().err


@pytest.fixture(scope="module")
def features(run, tmp_path_factory):
    """What `embed` writes of the images to learn from and to test on, by its flags."""
    folder, found = tmp_path_factory.mktemp("features"), {}
    for flags in ((), ("--random",)):
        found[flags] = []
        for split in ("train", "test"):
            output = folder / f"{split}{len(flags)}.npz"
            arguments = [f"--run={run}", f"--split={split}", f"--output={output}"]
            assert main(["embed", *arguments, *flags]) == 0
            arrays = arrays_of(output)
            found[flags] += [arrays["features"], arrays["labels"]]
    return found


@pytest.mark.parametrize(
    ("command", "classify"), [("knn", knn), ("linear_eval", linear_probe)]
)
def test_evaluation_prints_and_writes_accuracies(
    run, features, capsys, command, classify
):
    assert main([command, f"--run={run}"]) == 0
    assert main([command, f"--run={run}", "--random"]) == 0
    shown = capsys.readouterr().out
    trained = json.loads((run / f"{command}.json").read_text())
    floor = json.loads((run / f"{command}_random.json").read_text())
    for result in (trained, floor):
        assert 0.05 < result["top1"] <= result["top5"] <= 1.0
        assert (result["num_train"], result["num_test"]) == (400, 100)
        assert f"top-1 {result['top1']:.4f}" in shown
        assert not result["pretrained_on_test_images"]
        assert 0.05 < result["mean_per_class"] <= 1.0
        assert f"mean per class {result['mean_per_class']:.4f}" in shown
        share = result["top1"]
        assert result["standard_error"] == math.sqrt(share * (1 - share) / 100)
    confusion = json.loads((run / f"{command}_confusion.json").read_text())
    counts = np.array(confusion["confusion"])
    assert counts.sum() == 100
    assert np.trace(counts) / 100 == pytest.approx(trained["top1"])
    assert confusion["classes"][:2] == ["airplane", "automobile"]
    assert shown.count("Best classes: ") == 2
    with Image.open(run / f"{command}_confusion.png") as picture:
        assert min(picture.size) > 500
    # What has learned nothing, of the same images; here of the same encoder too.
    by = {"knn": "knn", "linear_eval": "ridge probe"}[command]
    assert trained["floors"] == floor["floors"]
    assert trained["floors"]["pixels_method"] == by
    assert f"{by} on pixels of 16 px {trained['floors']['pixels']:.4f}" in shown
    assert 0.0 < trained["floors"]["largest_class"] <= 0.2
    assert shown.count("the same command with --random") == 1
    assert "pretrained on the test images too" not in shown
    for result, flags in ((trained, ()), (floor, ("--random",))):
        expected = classify(*features[flags])
        assert result["top1"] == pytest.approx(expected.top1, abs=0.02)
    assert trained["top1"] > 0.15


def test_linear_eval_keeps_its_classifier(run, dataset):
    """As a SavedModel that classifies as the result says."""
    if not (run / "linear_eval_classifier").exists():
        assert main(["linear_eval", f"--run={run}"]) == 0
    result = json.loads((run / "linear_eval.json").read_text())
    classifier = tf.saved_model.load(str(run / "linear_eval_classifier"))
    with np.load(dataset.removeprefix("npz:")) as arrays:
        images, labels = arrays["x_test"], arrays["y_test"].ravel()
        names = list(arrays["classes"])
    unit = tf.constant(images / 255.0, tf.float32)
    found = classifier.signatures["classify"](images=unit)
    guesses = np.argmax(found["probabilities"], axis=1)
    assert np.mean(guesses == labels) == pytest.approx(result["top1"], abs=0.011)
    assert [name.decode() for name in found["classes"][0].numpy()] == names
    assert not (run / "linear_eval_random_classifier").exists()


def test_linear_eval_of_a_saved_model_keeps_no_classifier(
    run, dataset, tmp_path, capsys, monkeypatch
):
    """And says so. What it is asked for reaches the classifier."""
    seeds = []

    def spied(*features, seed):
        seeds.append(seed)
        return linear_probe(*features, seed=seed)

    monkeypatch.setattr("simclr_tf.cli.linear_eval.linear_probe", spied)
    encoder, output = tmp_path / "encoder", tmp_path / "out.json"
    assert main(["export", "--nocheck", f"--run={run}", f"--output={encoder}"]) == 0
    command = ["linear_eval", f"--saved_model={encoder}", f"--dataset={dataset}"]
    assert main([*command, f"--output={output}", "--seed=7"]) == 0
    assert "No classifier is kept: that needs" in capsys.readouterr().out
    assert not (tmp_path / "out_classifier").exists()
    assert seeds == [7]


def test_linear_eval_by_sgd(run, capsys):
    """As published; the same command again finds it done."""
    command = ["linear_eval", f"--run={run}", "--protocol=sgd", "--epochs=6"]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "frozen up to block 4" in shown
    assert "learning rate 0.1 (linear)" in shown
    result = json.loads((run / "linear_eval_sgd.json").read_text())
    assert result["method"] == "linear probe by SGD"
    assert (result["labels_used"], result["num_test"]) == (400, 100)
    assert result["top1"] > result["floors"]["largest_class"]
    assert result["top1"] <= result["top5"]
    assert (run / "linear_eval_sgd_confusion.png").exists()
    assert (run / "linear_eval_sgd" / "classifier" / "saved_model.pb").exists()
    assert main(command) == 0
    assert json.loads((run / "linear_eval_sgd.json").read_text()) == result


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs=3"], "--epochs is of --protocol=sgd alone"),
        (["--protocol=sgd", "--random"], "--protocol=sgd needs --run=FOLDER or"),
    ],
)
def test_flags_of_sgd_with_what_they_do_not_fit(run, capsys, arguments, message):
    assert main(["linear_eval", f"--run={run}", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_evaluation_on_few_labels(run, capsys):
    assert main(["knn", f"--run={run}", "--train_labels=3-per-class", "--seed=1"]) == 0
    shown = capsys.readouterr().out
    assert "Labels used: 30 of 400, 3 of each class." in shown
    result = json.loads((run / "knn_3-per-class.json").read_text())
    assert (result["num_train"], result["labels_used"]) == (30, 30)
    assert result["train_labels"] == "3-per-class"
    assert main(["knn", f"--run={run}", "--train_labels=2"]) == 2
    assert "train_labels must be all, a share above 0" in capsys.readouterr().err


def test_evaluation_of_unlabelled_images_says_what_is_missing(run, capsys, tmp_path):
    np.savez(tmp_path / "bare.npz", x_train=np.zeros([30, 32, 32, 3], np.uint8))
    dataset = f"npz:{tmp_path / 'bare.npz'}"
    assert main(["knn", f"--run={run}", f"--dataset={dataset}"]) == 2
    assert "has no labels" in capsys.readouterr().err


def test_export_and_embed_agree_with_the_run(run, tmp_path, capsys):
    """Below a folder whose name TensorFlow takes for a pattern."""
    encoder = tmp_path / "encoder[v2]"
    assert main(["export", "--nocheck", f"--run={run}", f"--output={encoder}"]) == 0
    assert "rename the folder for tf.saved_model.load" in capsys.readouterr().out
    outputs = [tmp_path / "run.npz", tmp_path / "exported.npz"]
    test = ["--split=test", "--batch_size=64"]
    assert main(["embed", f"--run={run}", f"--output={outputs[0]}", *test]) == 0
    spec = RunFolder(str(run)).recipe().dataset
    assert (
        main(
            [
                *("embed", f"--saved_model={encoder}", f"--dataset={spec}"),
                *(f"--output={outputs[1]}", *test),
            ]
        )
        == 0
    )
    from_run, exported = map(arrays_of, outputs)
    assert from_run["features"].shape == (100, tiny.FEATURES)
    np.testing.assert_allclose(
        from_run["features"], exported["features"], rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(from_run["labels"], exported["labels"])
    assert list(from_run["classes"])[:2] == ["airplane", "automobile"]


def test_embed_names_the_files_of_a_folder(run, photos, tmp_path):
    folder = photos / "test" / "bonsai"
    output = tmp_path / "h.npz"
    assert (
        main(
            [
                *("embed", f"--run={run}", f"--dataset=folder:{folder}"),
                f"--output={output}",
            ]
        )
        == 0
    )
    arrays = arrays_of(output)
    names = sorted(str(path) for path in folder.glob("*.jpg"))
    assert sorted(arrays["paths"]) == names
    assert len(arrays["features"]) == len(names)


@pytest.mark.parametrize(
    "kind", ["npz", pytest.param("folder", marks=pytest.mark.exhaustive)]
)
def test_preview_draws_images_and_views(kind, dataset, photos, tmp_path, capsys):
    output = tmp_path / "preview.png"
    named = dataset if kind == "npz" else f"folder:{photos / 'test'}"
    status = main(
        [
            *("preview", f"--dataset={named}"),
            *("--image_size=64", "--images=3", "--columns=5", f"--output={output}"),
            "--views=crop|flip|gray(0.5)",
        ]
    )
    assert status == 0
    assert str(output) in capsys.readouterr().out
    picture = tf.io.decode_png(output.read_bytes(), channels=3)
    assert min(picture.shape[:2]) > 200
    assert len(np.unique(picture)) > 100
