"""Files of each format: they run without the package and answer as their source."""

import importlib
import importlib.metadata
import json
import os

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.export import formats
from simclr_tf.export.agreement import Agreement, Disagreement, check
from simclr_tf.export.formats import export_file
from simclr_tf.export.served import Served
from simclr_tf.head import ClassifierHead
from simclr_tf.methods.supervised import SupervisedMethod
from simclr_tf.model import Learner
from simclr_tf.whole_files import WriteError
from tests import sample_images, tiny
from tests.export.exported import learned

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("export_formats")]

_SIDE = 40
_CLASSES = ["cat", "dog", "a/<b>"]
_PHOTOS = [tf.constant(sample_images.photo(60, 50 + 20 * (k % 2), k)) for k in range(8)]
_KERAS_3 = importlib.metadata.version("keras").startswith("3")


@pytest.fixture(scope="module")
def model():
    tf.keras.utils.set_random_seed(0)
    model = Learner(tiny.encoder(), ClassifierHead(3), SupervisedMethod())
    model.build((None, _SIDE, _SIDE, 3))
    learned(model)
    kernel = model.projection_head.classes.kernel
    kernel.assign(tf.random.stateless_normal(kernel.shape, [1, 2], stddev=3.0))
    return model


def _onnx():
    for name in ("tf2onnx", "onnxruntime"):
        pytest.importorskip(name, reason="tf2onnx needs Python 3.10")


def test_keras_of_any_size(model, tmp_path):
    path = tmp_path / "encoder.keras"
    found = export_file(Served(model, _SIDE), path, "keras", images=_PHOTOS)
    assert found.error < 1e-4
    assert found.images == len(_PHOTOS)
    says = json.loads((tmp_path / "encoder.keras.json").read_text())
    assert says["precision"] == "float32"
    assert (says["image_size"], says["input_size"]) == (str(_SIDE), None)
    assert (says["output"], says["feature_dim"]) == ("features", tiny.FEATURES)
    assert says["agreement"]["images"] == len(_PHOTOS)
    assert sorted(os.listdir(tmp_path)) == ["encoder.keras", "encoder.keras.json"]


def test_keras_of_one_size_is_a_classifier_of_any_keras(model, tmp_path, monkeypatch):
    path = str(tmp_path / "classifier.keras")
    served = Served(model, _SIDE, _CLASSES, input_size=(48, 64))
    export_file(served, path, "keras")
    assert json.loads((tmp_path / "classifier.keras.json").read_text())["classes"] == (
        _CLASSES
    )
    if _KERAS_3:  # In the process that loads the file.
        monkeypatch.setenv("TF_USE_LEGACY_KERAS", "0")
    found = check(served, "keras", path, _PHOTOS)
    assert found.top1 == 1.0
    assert found.error < 1e-4


@pytest.mark.parametrize(
    ("quantize", "error"),
    [("none", 1e-4), ("float16", 0.02)],
)
@pytest.mark.exhaustive
def test_tflite_of_any_size(model, tmp_path, quantize, error):
    path = str(tmp_path / "encoder.tflite")
    found = export_file(
        Served(model, _SIDE), path, "tflite", quantize=quantize, images=_PHOTOS
    )
    assert found.error < error
    interpreter = tf.lite.Interpreter(path)
    run = interpreter.get_signature_runner("serving_default")
    pixels = np.stack([_PHOTOS[0], _PHOTOS[2]]).astype(np.float32)
    pixels[0] /= 255
    features = run(images=pixels)["features"]
    assert np.isfinite(features[0]).all()
    assert np.isnan(features[1]).all()  # Not in [0, 1].


@pytest.mark.exhaustive  # The command line's test has another.
def test_tflite_of_integers(model, tmp_path):
    path = str(tmp_path / "classifier.tflite")
    found = export_file(
        Served(model, _SIDE, _CLASSES),
        path,
        "tflite",
        quantize="int8",
        calibration=_PHOTOS,
        images=_PHOTOS,
    )
    assert 0 < found.error < 0.2
    assert json.loads((tmp_path / "classifier.tflite.json").read_text())[
        "input_size"
    ] == str(46)
    interpreter = tf.lite.Interpreter(path)
    kernels = [
        each["dtype"]
        for each in interpreter.get_tensor_details()
        if len(each["shape"]) == 4 and each["shape"][1] == 3
    ]
    assert kernels
    assert set(kernels) == {np.int8}


def test_onnx(model, tmp_path):
    _onnx()
    path = str(tmp_path / "classifier.onnx")
    served = Served(model, _SIDE, _CLASSES)
    found = export_file(served, path, "onnx", images=_PHOTOS)
    assert found.top1 == 1.0
    assert found.error < 1e-4
    session = importlib.import_module("onnxruntime").InferenceSession(path)
    pixels = np.stack([_PHOTOS[0], _PHOTOS[2]]).astype(np.float32)
    pixels[0] /= 255
    (answers,) = session.run(["probabilities"], {"images": pixels})
    assert np.isfinite(answers[0]).all()
    assert np.isnan(answers[1]).all()  # Not in [0, 1].


def test_what_disagrees_is_not_kept(model, tmp_path, monkeypatch):
    path = tmp_path / "encoder.keras"
    path.write_bytes(b"before")
    served, wrong = Served(model, _SIDE, input_size=46), Agreement(8, 9.0, 0.5, 0.4)
    monkeypatch.setattr(formats, "check", lambda *arguments: wrong)
    with pytest.raises(Disagreement, match="disagrees with its source on 8 images"):
        export_file(served, str(path), "keras", images=_PHOTOS)
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["encoder.keras"]


def test_only_errors_of_writing_are_told_as_such(model, tmp_path, monkeypatch):
    served = Served(model, _SIDE, input_size=46)
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match=r"file/encoder\.keras cannot be written"):
        export_file(served, tmp_path / "file" / "encoder.keras", "keras")

    def fail(*arguments):
        raise tf.errors.InvalidArgumentError(None, None, "of the model")

    monkeypatch.setattr(formats, "check", fail)
    with pytest.raises(tf.errors.InvalidArgumentError, match="of the model"):
        export_file(served, tmp_path / "encoder.keras", "keras", images=_PHOTOS)


def test_what_needs_the_package_does_not_load(model, tmp_path):
    """A Keras file that holds a layer of the package's own."""
    path = str(tmp_path / "own.keras")
    model.encoder.save(path)
    with pytest.raises(Disagreement, match="does not run in a process without simclr"):
        check(Served(model, _SIDE), "keras", path, _PHOTOS[:1])


@pytest.mark.parametrize(
    ("file_format", "quantize", "said"),
    [
        ("onx", "none", "format must be one of"),
        ("tflite", "int4", "quantize must be one of"),
        ("keras", "int8", "is for the format tflite"),
    ],
)
def test_what_cannot_be_is_said(model, tmp_path, file_format, quantize, said):
    with pytest.raises(UserError, match=said):
        export_file(
            Served(model, _SIDE), str(tmp_path / "x"), file_format, quantize=quantize
        )
