"""The exported folder: what lies in it, who can read it, when it is replaced."""

import json
import os
import resource
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.augmentation import evaluation_view
from simclr_tf.errors import UserError
from simclr_tf.export import export_encoder, value_range_of
from simclr_tf.export.servable import servable
from simclr_tf.methods import method_class
from simclr_tf.model import Learner, SimCLR
from tests import tiny
from tests.export.exported import (
    SIDE,
    SIZES,
    assert_answers,
    expected,
    photographs,
)

# One process, so that the model is exported once.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("exported")]

# Runs where neither the package nor keras-cv may be imported.
ELSEWHERE = """
import sys
import numpy as np
import tensorflow as tf

exported, given, answers = sys.argv[1:]
f = tf.saved_model.load(exported)
assert f.trainable_variables
given, got = np.load(given, allow_pickle=True), {}
for name in given.files:
    if name.startswith("jpeg"):
        got[name] = f.signatures["jpeg"](bytes=tf.constant(given[name].tolist()))
    else:
        images = tf.constant(given[name])
        got[name + "/called"] = {"features": f(images, training=False)}
        of_dtype = {tf.uint8: "serving_uint8", tf.float32: "serving_default"}
        if images.dtype in of_dtype:
            got[name] = f.signatures[of_dtype[images.dtype]](images=images)
np.savez(answers, **{
    f"{name}/{output}": value
    for name, outputs in got.items() for output, value in outputs.items()
})
assert "simclr_tf" not in sys.modules
assert "keras_cv" not in sys.modules
"""


def test_answers_with_tensorflow_alone_on_a_plainer_processor(
    model, exported, tmp_path
):
    given = {}
    for height, width in SIZES:
        images = photographs(height, width)
        given[f"uint8 {height}x{width}"] = images.numpy()
        given[f"float32 {height}x{width}"] = (images.numpy() / 255).astype(np.float32)
        given[f"float64 {height}x{width}"] = images.numpy() / 255
        encoded = [tf.io.encode_jpeg(image, quality=95).numpy() for image in images]
        encoded.append(encoded[0][: len(encoded[0]) // 2])
        given[f"jpeg {height}x{width}"] = np.array(encoded, dtype=object)
    np.savez(tmp_path / "given.npz", **given)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    # Without AVX-512, and so without instructions for bfloat16.
    environment["ONEDNN_MAX_CPU_ISA"] = "AVX2"
    arguments = [exported, tmp_path / "given.npz", tmp_path / "answers.npz"]
    process = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, *map(str, arguments)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr[-2000:]

    got = np.load(tmp_path / "answers.npz")
    assert len(got.files) == len(SIZES) * (3 + 2 + 2 + 2)
    for key in got.files:
        name, *_, output = key.split("/")
        if name.startswith("jpeg"):
            *whole, _ = given[name]
            images = tf.stack([tf.io.decode_jpeg(data) for data in whole])
            assert np.isnan(got[key][-1]).all()
        else:
            images = given[name]
        want = expected(model, images, SIDE)[output]
        answers = got[key][: len(want)]
        np.testing.assert_allclose(answers, want, rtol=0, atol=1e-5, err_msg=key)


def test_variables_are_the_encoders_and_the_heads(trained, loaded):
    model = trained
    assert len(loaded.trainable_variables) == len(model.encoder.trainable_variables)
    names = {variable.name for variable in loaded.variables}
    assert names == {
        v.name for v in [*model.encoder.variables, *model.projection_head.variables]
    }


@pytest.mark.exhaustive
def test_an_encoder_of_keras_functional_kind(tmp_path):
    """As those of keras.applications are; its feature maps are averaged."""
    layers = tf.keras.layers
    images = tf.keras.Input([64, 64, 3])
    x = layers.DepthwiseConv2D(3, 2, depth_multiplier=2, padding="same")(images)
    x = layers.BatchNormalization()(x)
    x = layers.Add()([x, layers.Conv2D(6, 1)(layers.ReLU(6.0)(x))])
    encoder = tf.keras.Model(images, x)
    model = SimCLR(encoder, tf.keras.layers.Dense(8))
    model.build([None, 64, 64, 3])
    export_encoder(model, tmp_path / "encoder", image_size=64)
    loaded = tf.saved_model.load(str(tmp_path / "encoder"))
    images = photographs(80, 100)
    got = loaded.signatures["serving_uint8"](images=images)
    assert_answers(got, expected(model, images, 64))
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(loaded(images, training=True) ** 2)
    gradients = tape.gradient(value, loaded.trainable_variables)
    assert len(gradients) == len(encoder.trainable_variables)
    assert all(gradient is not None for gradient in gradients)


def test_each_variable_is_held_once(trained, exported):
    reader = tf.train.load_checkpoint(str(exported / "variables" / "variables"))
    shapes = reader.get_variable_to_shape_map()
    lists = ("variables", "trainable_variables")
    held = [shapes[key] for key in shapes if key.partition("/")[0] in lists]
    own = [*trained.encoder.variables, *trained.projection_head.variables]
    assert sorted(held) == sorted(variable.shape.as_list() for variable in own)
    others = {key.partition("/")[0] for key in shapes} - {*lists}
    assert others == {"_CHECKPOINTABLE_OBJECT_GRAPH", "save_counter"}


def test_metadata_lies_beside(exported):
    metadata = json.loads((exported / "simclr.json").read_text())
    assert metadata["image_size"] == SIDE
    assert metadata["feature_dim"] == 16
    assert metadata["projection_dim"] == 5
    assert metadata["precision"] == "float32"
    assert metadata["tensorflow"] == tf.__version__
    assert value_range_of(exported) is None


def _deep(values):
    """A PNG of 16 bits, and the picture of 8 that it is in 0..4095."""
    pixels = np.broadcast_to(values[..., None], [*values.shape, 3])
    shown = np.round(pixels * (255 / 4095)).astype(np.uint8)
    return tf.io.encode_png(values[..., None]).numpy(), shown


def test_files_of_16_bits_are_seen_in_the_stated_range(model):
    values = np.random.default_rng(0).integers(0, 4096, [SIDE, SIDE]).astype(np.uint16)
    contents, shown = _deep(values)
    outside, _ = _deep(2 * values)
    _, signatures = servable(model, SIDE, 3, (0.0, 4095.0))
    got = signatures["jpeg"](bytes=tf.constant([contents, outside]))["features"]
    expected = signatures["serving_uint8"](images=tf.constant(shown[None]))["features"]
    np.testing.assert_allclose(got[:1], expected, atol=1e-5)
    assert np.isnan(got[1]).all()


@pytest.mark.exhaustive
def test_the_stated_range_lies_beside(model, tmp_path):
    path = tmp_path / "encoder"
    export_encoder(model, path, image_size=SIDE, value_range=(0, 4095))
    assert value_range_of(path) == (0.0, 4095.0)


def files_in(folder):
    """Contents by path."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_an_earlier_export_is_replaced_whole_or_not_at_all(exported, tmp_path):
    path = tmp_path / "encoder"
    shutil.copytree(exported, path)
    (path / "leftover").write_text("")
    before = files_in(path)
    method = method_class("rotation")()
    head = method.make_head(layers=1, hidden_dim=None, out_dim=8)
    other = Learner(tiny.encoder(), head, method)
    other.build([None, SIDE, SIDE, 3])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Fuller than a full disk: no file can have more than a kilobyte.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, limits[1]))
    try:
        with pytest.raises(UserError, match=r"cannot be written: .*is as it was"):
            export_encoder(other, path, image_size=SIDE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert files_in(path) == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["encoder"]

    def fail(folder):
        raise tf.errors.InvalidArgumentError(None, None, "of the model")

    # What the model raises when the export is compared with it is no error of writing.
    with pytest.raises(tf.errors.InvalidArgumentError, match="of the model"):
        export_encoder(other, path, image_size=SIDE, check=fail)
    assert files_in(path) == before

    export_encoder(other, path, image_size=SIDE)
    assert not (path / "leftover").exists()
    assert [entry.name for entry in tmp_path.iterdir()] == ["encoder"]
    # Of a method without projections there are features alone.
    images = photographs(SIDE, SIDE)
    answer = tf.saved_model.load(str(path)).signatures["serving_uint8"](images=images)
    assert set(answer) == {"features"}
    features = other(evaluation_view(images, SIDE))
    np.testing.assert_allclose(answer["features"], features, atol=1e-5)
    told = json.loads((path / "simclr.json").read_text())
    assert told["projection_dim"] is None


def test_what_is_not_an_export_is_left_alone(model, tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(ValueError, match=r"holds thesis\.tex.* would be replaced"):
        export_encoder(model, tmp_path, image_size=SIDE)
    with pytest.raises(ValueError, match="is a file, and a folder is written"):
        export_encoder(model, tmp_path / "thesis.tex", image_size=SIDE)
    assert (tmp_path / "thesis.tex").read_text() == "precious"


def test_refuses_a_model_that_is_not_built(tmp_path):
    model = SimCLR(
        tf.keras.Sequential([tf.keras.layers.Conv2D(4, 3)]), tf.keras.layers.Dense(4)
    )
    with pytest.raises(ValueError, match="model must be built"):
        export_encoder(model, tmp_path / "encoder")


def test_refuses_an_image_size_out_of_range(model, tmp_path):
    with pytest.raises(ValueError, match=r"image_size must be 1 or more, .* got 0"):
        export_encoder(model, tmp_path / "encoder", image_size=0)
