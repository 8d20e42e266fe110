"""Published weights become a run folder that every command takes."""

import contextlib
import dataclasses
import io
import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.cli import encoder_flags
from simclr_tf.cli.main import COMMANDS, main
from simclr_tf.errors import UserError
from simclr_tf.training import (
    Recipe,
    RunFolder,
    RunFolderError,
    build_model,
    pretrain,
)
from simclr_tf.training.convert import convert
from simclr_tf.training.starting_weights import encoder_of, load_encoder
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
    run, output = str(folder / "run"), io.StringIO()
    with contextlib.redirect_stdout(output):
        assert main(["convert", f"--published={path}", f"--run={run}"]) == 0
    said = output.getvalue()
    assert f"{path}: {_NAME}, a projection head of 2 layers: " in said
    assert "not used: head_supervised/linear_layer/dense/bias (5,)" in said
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


def test_it_is_measured_on_images_that_are_named(converted, dataset, capsys):
    _, run, *_ = converted
    assert main(["knn", f"--run={run}"]) == 2
    assert "Name the labelled images with --dataset" in capsys.readouterr().err
    assert main(["knn", f"--run={run}", f"--dataset={dataset}", "--k=5"]) == 0
    figures = json.loads(pathlib.Path(run, "knn.json").read_text())
    assert not figures["pretrained_on_test_images"]


@pytest.mark.exhaustive
def test_further_commands_take_it(converted, dataset, tmp_path):
    _, run, x, h, _ = converted
    output = f"--output={tmp_path / 'h.npz'}"
    assert main(["embed", f"--run={run}", f"--dataset={dataset}", output]) == 0
    with np.load(tmp_path / "h.npz") as arrays:
        np.testing.assert_allclose(arrays["features"], h[:30], rtol=1e-4, atol=1e-4)
    assert main(["linear_eval", f"--run={run}", f"--dataset={dataset}"]) == 0
    assert (
        main(["export", "--nocheck", f"--run={run}", f"--output={tmp_path / 'saved'}"])
        == 0
    )
    exported = tf.saved_model.load(str(tmp_path / "saved"))
    np.testing.assert_allclose(exported(x, training=False), h, rtol=1e-4, atol=1e-4)


def test_published_weights_are_encoded_without_a_run(converted, capsys):
    """As by --run, and --random is an encoder like theirs."""
    path, _, x, h, _ = converted
    flags = COMMANDS["knn"].parse([f"--published={path}"])
    loaded = encoder_flags.load(flags)
    assert (loaded.image_size, loaded.dataset) == (32, None)
    np.testing.assert_allclose(
        loaded.encoder(x, training=False), h, rtol=1e-4, atol=1e-5
    )
    assert f"{path}: {_NAME}, " in capsys.readouterr().out
    loaded = encoder_flags.load(
        COMMANDS["knn"].parse([f"--published={path}", "--random"])
    )
    assert loaded.encoder(x, training=False).shape == h.shape
    assert np.abs(loaded.encoder(x, training=False) - h).max() > 0.1


def test_a_pretraining_starts_from_it_and_none_goes_on_in_it(converted, dataset):
    _, run, x, h, _ = converted
    with pytest.raises(UserError, match=r"no training: start from them with --init="):
        pretrain(Recipe(dataset=dataset), run)
    assert encoder_of(run) == _NAME
    recipe = dataclasses.replace(RunFolder(run).recipe(), head_layers=1)
    model, lines = build_model(recipe), []
    load_encoder(run, model, lines.append)
    np.testing.assert_allclose(model(x, training=False), h, rtol=1e-4, atol=1e-5)
    assert f"starts from {run}, converted from" in lines[-1]


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
