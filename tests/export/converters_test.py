"""The export converts to other formats and answers there as here."""

import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.export.exported import SIDE, assert_answers, expected, photographs

# One process, so that the model is exported once.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("exported")]


def test_it_converts_to_tflite(model, exported):
    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(exported), signature_keys=["serving_default"]
    )
    interpreter = tf.lite.Interpreter(model_content=converter.convert())
    run = interpreter.get_signature_runner("serving_default")
    images = (photographs(61, 47).numpy() / 255).astype(np.float32)
    assert_answers(run(images=images), expected(model, images, SIDE))
    images[1] *= 255
    got = run(images=images)
    assert_answers(
        {name: rows[::2] for name, rows in got.items()},
        expected(model, images[::2], SIDE),
    )
    assert np.isnan(got["features"][1]).all()


def test_it_converts_to_onnx(model, exported, tmp_path, monkeypatch):
    reason = "tf2onnx needs Python 3.10 beside TensorFlow 2.15"
    convert = pytest.importorskip("tf2onnx.convert", reason=reason)
    from onnx.reference import ReferenceEvaluator

    path = str(tmp_path / "encoder.onnx")
    arguments = [f"--saved-model={exported}", f"--output={path}", "--opset=17"]
    arguments += ["--signature_def=serving_default"]
    monkeypatch.setattr(sys, "argv", ["tf2onnx", *arguments])
    convert.main()
    evaluator = ReferenceEvaluator(path)
    images = (photographs(61, 47).numpy() / 255).astype(np.float32)
    got = dict(zip(evaluator.output_names, evaluator.run(None, {"images": images})))
    assert_answers(got, expected(model, images, SIDE))
