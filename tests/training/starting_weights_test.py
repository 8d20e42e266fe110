"""An encoder starts from the weights of a run or of an export."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf import export_encoder
from simclr_tf.errors import UserError
from simclr_tf.training import Recipe, RunFolder, build_model
from simclr_tf.training.starting_weights import encoder_of, load_encoder
from tests import tiny

pytestmark = pytest.mark.slow

RECIPE = Recipe(
    dataset="shapes:40",
    image_size=16,
    encoder=tiny.NAME,
    head_layers=1,
    batch_size=4,
    precision="float32",
).resolve()


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
    with pytest.raises(UserError, match=r"neither a run folder, .* nor a SavedModel"):
        load_encoder(str(tmp_path), model, lambda line: None)
    (tmp_path / "saved_model.pb").write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"cannot be read as a SavedModel"):
        load_encoder(str(tmp_path), model, lambda line: None)


def test_a_run_names_its_encoder_and_an_export_does_not(run, export):
    assert encoder_of(run) == tiny.NAME
    assert encoder_of(export) is None
