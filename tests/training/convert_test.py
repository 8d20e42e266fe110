"""Published weights become a run folder that every command takes."""

import importlib
import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.cli.main import main
from simclr_tf.errors import UserError
from simclr_tf.training import RunFolder, RunFolderError, Stopped, pretrain
from simclr_tf.training.convert import convert
from simclr_tf.training.recipe import Recipe
from tests import sample_images
from tests.checkpoints.tf1_net import Tf1Net

pytestmark = pytest.mark.slow

_NAME = "resnet18x0.0625"


@pytest.fixture(scope="module")
def images():
    return sample_images.images(40, 32)[0]


@pytest.fixture(scope="module")
def dataset(images, tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "images.npz"
    labels = np.arange(40) % 2
    np.savez(
        path,
        x_train=images[:30],
        y_train=labels[:30],
        x_test=images[30:],
        y_test=labels[30:],
    )
    return f"npz:{path}"


@pytest.fixture(scope="module")
def converted(images, tmp_path_factory):
    """A net of TensorFlow 1, and its run folder as the command writes it."""
    folder, net = tmp_path_factory.mktemp("published"), Tf1Net()
    x = tf.constant(images / np.float32(255))
    blocks = {"filters": 4, "blocks": (2, 2, 2, 2), "bottleneck": False}
    h = net.features(x, small_stem=True, **blocks)
    z = net.projection(h, 128, 2)
    net.logits(h, 5)
    path = net.save(f"{folder}/model.ckpt-7")
    run = str(folder / "run")
    assert main(["convert", f"--published={path}", f"--run={run}"]) == 0
    return path, run, x, h, z


def test_the_run_has_the_weights_their_encoder_and_their_head(converted):
    path, run, x, h, z = converted
    recipe = RunFolder(run).recipe()
    assert (recipe.encoder, recipe.head_layers, recipe.image_size) == (_NAME, 2, 32)
    assert recipe.init == path
    model = RunFolder(run).load_model()
    features = model(x, training=False)
    np.testing.assert_allclose(features, h, rtol=1e-4, atol=1e-5)
    projection = model.projection_head(features, training=False)
    np.testing.assert_allclose(projection, z, rtol=1e-4, atol=1e-5)
    result = RunFolder(run).read_result()
    assert result["converted_from"] == path
    prefix = "head_supervised/linear_layer/dense"
    assert result["unused"] == {f"{prefix}/bias": [5], f"{prefix}/kernel": [32, 5]}


def test_what_was_converted_is_said(converted, tmp_path, capsys):
    path, *_ = converted
    assert main(["convert", f"--published={path}", f"--run={tmp_path / 'run'}"]) == 0
    said = capsys.readouterr().out
    assert f"{path}: {_NAME}, a projection head of 2 layers: " in said
    assert "not used: head_supervised/linear_layer/dense/bias (5,)" in said


def test_commands_take_it(converted, dataset, tmp_path, capsys):
    _, run, _, h, _ = converted
    assert main(["knn", f"--run={run}"]) == 2
    assert "Name the labelled images with --dataset" in capsys.readouterr().err
    assert main(["knn", f"--run={run}", f"--dataset={dataset}", "--k=5"]) == 0
    figures = json.loads(pathlib.Path(run, "knn.json").read_text())
    assert not figures["pretrained_on_test_images"]
    output = f"--output={tmp_path / 'h.npz'}"
    assert main(["embed", f"--run={run}", f"--dataset={dataset}", output]) == 0
    with np.load(tmp_path / "h.npz") as arrays:
        np.testing.assert_allclose(arrays["features"], h[:30], rtol=1e-4, atol=1e-4)


@pytest.mark.exhaustive
def test_further_commands_take_it(converted, dataset, tmp_path):
    _, run, x, h, _ = converted
    assert main(["linear_eval", f"--run={run}", f"--dataset={dataset}"]) == 0
    assert main(["export", f"--run={run}", f"--output={tmp_path / 'saved'}"]) == 0
    exported = tf.saved_model.load(str(tmp_path / "saved"))
    np.testing.assert_allclose(exported(x, training=False), h, rtol=1e-4, atol=1e-4)


def test_published_weights_are_measured_without_a_run(converted, dataset, capsys):
    """As by --run, and --random is an encoder like theirs."""
    path, *_ = converted
    flags = [f"--published={path}", f"--dataset={dataset}", "--k=5"]
    assert main(["knn", *flags]) == 0
    assert f"{path}: {_NAME}, " in capsys.readouterr().out
    assert main(["knn", *flags, "--random"]) == 0
    assert path not in capsys.readouterr().out


def test_a_pretraining_starts_from_it_and_none_goes_on_in_it(
    converted, dataset, tmp_path, monkeypatch
):
    _, run, *_ = converted
    with pytest.raises(UserError, match=r"no training: start from them with --init="):
        pretrain(Recipe(dataset=dataset), run)
    seen = []

    def stop(settings, folder, data, model, *_):
        seen.append(model.encoder.get_weights())
        raise Stopped("before the first step")

    pretraining = importlib.import_module("simclr_tf.training.pretrain")
    monkeypatch.setattr(pretraining, "begin_judging", stop)
    lines = []
    recipe = Recipe(dataset=dataset, init=run, head_layers=1, batch_size=8, epochs=1)
    with pytest.raises(Stopped):
        pretrain(recipe, str(tmp_path / "run"), say=lines.append)
    expected = RunFolder(run).load_model().encoder.get_weights()
    for ours, theirs in zip(*seen, expected):
        np.testing.assert_array_equal(ours, theirs)
    assert any(f"starts from {run}, converted from" in line for line in lines)


def test_weights_of_pytorch_make_a_run_without_a_head(golden_folder, tmp_path):
    path, lines = str(golden_folder / "torch_resnet18.safetensors"), []
    convert(path, str(tmp_path / "run"), image_size=64, say=lines.append)
    recipe = RunFolder(str(tmp_path / "run")).recipe()
    assert (recipe.encoder, recipe.head_layers) == ("resnet18x0.0625-torch", 0)
    assert "no projection head" in lines[0]
    assert "not used: fc.bias (5,), fc.weight (5, 32)" in lines[0]
    model = RunFolder(str(tmp_path / "run")).load_model()
    with np.load(golden_folder / "torch_resnet18.npz") as arrays:
        features = model(arrays["even"], training=False)
        wanted = arrays["even_normalised"]
    np.testing.assert_allclose(features, wanted, rtol=1e-5, atol=1e-4)


def test_no_other_folder_is_overwritten(converted, tmp_path):
    path, run, *_ = converted
    convert(path, run, say=lambda line: None)  # The same again.
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunFolderError, match="is not empty and holds no run"):
        convert(path, str(tmp_path))
    trained = RunFolder(str(tmp_path / "run"))
    trained.start(RunFolder(run).recipe())
    tf.train.Checkpoint(step=tf.Variable(1)).write(f"{trained.checkpoints}/ckpt-8")
    with pytest.raises(RunFolderError, match="holds a run that was trained"):
        convert(path, trained.path)


def test_mistakes_of_the_command_are_told_in_a_line(tmp_path, capsys):
    (tmp_path / "weights.pth").write_bytes(b"\x80")
    for flags, message in (
        ([], "convert needs --published"),
        (["--published=nowhere"], "convert needs --run"),
        (["--published=nowhere", f"--run={tmp_path}/a"], "nowhere is no checkpoint"),
        (
            [f"--published={tmp_path}/weights.pth", f"--run={tmp_path}/a"],
            "is a pickle, which could run any code",
        ),
    ):
        assert main(["convert", *flags]) == 2
        said = capsys.readouterr().err
        assert message in said
        assert len(said.splitlines()) == 1
