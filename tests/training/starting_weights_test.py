"""An encoder starts from the weights of a run, an export, or published ones."""

import dataclasses
import functools
import sys
import urllib.error

import numpy as np
import pytest
import tensorflow as tf

import simclr_tf
from simclr_tf import export_encoder
from simclr_tf.encoder.freezing import freeze_up_to
from simclr_tf.errors import UserError
from simclr_tf.training import Recipe, RunFolder, build_model, pretrain
from simclr_tf.training.starting_weights import (
    encoder_of,
    load_encoder,
    require_weights,
)
from tests import tiny
from tests.checkpoints.tf1_net import Tf1Net

pytestmark = pytest.mark.slow

RECIPE = Recipe(
    dataset="shapes:40",
    image_size=16,
    encoder=tiny.NAME,
    head_layers=1,
    batch_size=4,
    precision="float32",
).resolve()


def _of(encoder, image_size):
    return dataclasses.replace(RECIPE, encoder=encoder, image_size=image_size)


@pytest.fixture(scope="module")
def trained():
    """A model whose weights no seed gives, moving averages among them."""
    model = build_model(RECIPE)
    draw = np.random.default_rng(0)
    model.set_weights([draw.random(w.shape) for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def run(trained, tmp_path_factory):
    run = RunFolder(str(tmp_path_factory.mktemp("runs") / "run"))
    run.start(RECIPE)
    tf.train.Checkpoint(model=trained).write(f"{run.checkpoints}/ckpt-1200")
    return run.path


@pytest.fixture(scope="module")
def export(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "encoder"
    export_encoder(trained, path, image_size=16)
    return str(path)


@pytest.mark.parametrize(
    ("place", "told"), [("run", "run, after step 1,200."), ("export", "encoder.")]
)
def test_the_encoder_has_the_weights_and_the_rest_is_new(place, told, trained, request):
    path, lines = request.getfixturevalue(place), []
    model = build_model(dataclasses.replace(RECIPE, seed=3), num_classes=2)
    head = model.projection_head.get_weights()
    load_encoder(path, model, lines.append)
    for ours, theirs in zip(model.encoder.get_weights(), trained.encoder.get_weights()):
        np.testing.assert_array_equal(ours, theirs)
    for ours, before in zip(model.projection_head.get_weights(), head):
        np.testing.assert_array_equal(ours, before)
    assert lines[-1].startswith("The encoder starts from ")
    assert lines[-1].endswith(told)


def _layers_that_learn(encoder):
    layers = [m for m in encoder.submodules if isinstance(m, tf.keras.layers.Layer)]
    return [layer.trainable for layer in layers]


def short_resnet(image_size):
    """One block in each of the groups that are frozen."""
    del image_size
    return simclr_tf.ResNet(18, width_multiplier=0.0625, blocks=[1, 1, 1, 1])


@pytest.mark.parametrize(
    "name",
    [
        f"{__name__}:short_resnet",
        *(
            pytest.param(name, marks=pytest.mark.exhaustive)
            for name in ("resnet18x0.0625", "vit_tiny8")
        ),
    ],
)
def test_what_is_frozen_starts_from_the_same_weights(name, tmp_path, monkeypatch):
    """Keras orders the variables of a model by which of them learn."""
    # The export is the same for all blocks.
    once = functools.lru_cache(tf.saved_model.load)
    monkeypatch.setattr(tf.saved_model, "load", once)
    trained = build_model(_of(name, 32))
    draw = np.random.default_rng(0)
    trained.set_weights([draw.random(w.shape) for w in trained.get_weights()])
    images = draw.random((2, 32, 32, 3), np.float32)
    features = trained(images)
    freeze_up_to(trained.encoder, 2)
    export_encoder(trained, str(tmp_path / "export"), image_size=32)
    model = build_model(dataclasses.replace(_of(name, 32), seed=3))
    for block in range(-1, 5):
        model.set_weights([np.zeros(w.shape) for w in model.get_weights()])
        freeze_up_to(model.encoder, block)
        before = _layers_that_learn(model.encoder)
        load_encoder(str(tmp_path / "export"), model, lambda line: None)
        np.testing.assert_array_equal(model(images), features, err_msg=str(block))
        assert _layers_that_learn(model.encoder) == before


def narrow_encoder(image_size):
    layers = [tf.keras.layers.Conv2D(4, 3, use_bias=False), *tiny.encoder().layers[1:]]
    return tf.keras.Sequential(layers)


def test_another_encoder_is_refused_by_its_shapes_and_left_alone(run, export):
    other = dataclasses.replace(RECIPE, encoder=f"{__name__}:narrow_encoder")
    model = build_model(other)
    before = model.get_weights()
    for path in (run, export):
        with pytest.raises(
            UserError, match=r"is \(3, 3, 3, 4\) here and \(3, 3, 3, 8\)"
        ):
            load_encoder(path, model, lambda line: None)
    for ours, theirs in zip(model.get_weights(), before):
        np.testing.assert_array_equal(ours, theirs)


def test_what_is_no_place_of_weights_is_told(tmp_path):
    model = build_model(RECIPE)
    with pytest.raises(UserError, match=r"neither a run folder, .* nor published"):
        load_encoder(str(tmp_path), model, lambda line: None)
    (tmp_path / "saved_model.pb").write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"cannot be read as a SavedModel"):
        load_encoder(str(tmp_path), model, lambda line: None)


def test_a_run_names_its_encoder_and_an_export_does_not(run, export):
    assert encoder_of(run) == tiny.NAME
    assert encoder_of(export) is None


def _published_and_what_it_should_give(kind, golden_folder, tmp_path):
    """A path, images, and features of those."""
    if kind == "torch":
        path = golden_folder / "torch_resnet18.safetensors"
        with np.load(golden_folder / "torch_resnet18.npz") as arrays:
            return (
                path,
                arrays["odd"],
                arrays["odd_normalised"],
                "resnet18x0.0625-torch",
            )
    net, images = Tf1Net(), np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    blocks = {"filters": 4, "blocks": (2, 2, 2, 2), "bottleneck": False}
    features = net.features(images, small_stem=True, **blocks)
    return net.save(f"{tmp_path}/model.ckpt-7"), images, features, "resnet18x0.0625"


@pytest.mark.parametrize("kind", ["tf1", "torch"])
def test_published_weights_are_started_from(kind, golden_folder, tmp_path):
    path, images, features, name = _published_and_what_it_should_give(
        kind, golden_folder, tmp_path
    )
    assert encoder_of(str(path)) == name
    size = 64 if kind == "torch" else 32
    require_weights(str(path), name, size, 3)
    model, lines = build_model(_of(name, size)), []
    load_encoder(str(path), model, lines.append)
    np.testing.assert_allclose(
        model.encoder(images, training=False), features, rtol=1e-4, atol=1e-4
    )
    assert lines[-1].startswith(f"The encoder starts from {path}: ")
    if kind == "torch":
        assert "not used: fc.bias (5,), fc.weight (5, 32)" in lines[-1]


@pytest.fixture
def data_utils():
    """Where Keras downloads."""
    return sys.modules[tf.keras.utils.get_file.__module__]


def test_keras_applications_start_from_imagenets_weights(
    data_utils, monkeypatch, tmp_path
):
    body = tf.keras.applications.MobileNet(
        include_top=False, weights=None, input_shape=(32, 32, 3)
    )
    path = str(tmp_path / "weights.h5")
    body.save_weights(path)
    monkeypatch.setattr(data_utils, "get_file", lambda *_, **__: path)
    model, lines = build_model(_of("MobileNet", 32)), []
    load_encoder("imagenet", model, lines.append)
    assert len(model.encoder.variables) == len(body.variables)
    for ours, theirs in zip(model.encoder.variables, body.variables):
        np.testing.assert_array_equal(ours, theirs)
    assert "imagenet weights of MobileNet" in lines[-1]


def test_weights_that_cannot_be_downloaded_are_told_before_images_are_looked_for(
    data_utils, monkeypatch, tmp_path
):
    def fail(*_, **__):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(data_utils, "urlretrieve", fail)
    monkeypatch.setenv("HOME", str(tmp_path))  # Nothing is in the cache.
    recipe = Recipe(
        dataset="folder:nowhere", encoder="MobileNet", image_size=32, init="imagenet"
    )
    with pytest.raises(UserError, match=r"MobileNet cannot be downloaded: .*network"):
        pretrain(recipe, str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
    with pytest.raises(UserError, match=r"and the encoder is resnet18\."):
        require_weights("imagenet", "resnet18", 32, 3)
