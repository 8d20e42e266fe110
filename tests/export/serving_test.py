"""A SavedModel in other hands: TensorFlow Serving, TensorFlow Hub, Keras 3."""

import base64
import importlib.metadata
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests import sample_images
from tests.export.exported import SIDE, expected, photographs

# One process, so that the model is exported once.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("exported")]


def _serve(loaded, request):
    """TensorFlow Serving's answer to a REST request of rows, in its own words.

    https://www.tensorflow.org/tfx/serving/api_rest: `instances` holds a row for each
    example, the input itself where there is one, or a dict by the inputs' names; a dict
    of "b64" alone is a string of bytes. Of several outputs a row is a dict.
    """

    def decoded(value):
        if isinstance(value, dict) and set(value) == {"b64"}:
            return base64.b64decode(value["b64"])
        return [decoded(each) for each in value] if isinstance(value, list) else value

    request = json.loads(request)
    signature = loaded.signatures[request.get("signature_name", "serving_default")]
    ((name, spec),) = signature.structured_input_signature[1].items()
    rows = [
        row[name] if isinstance(row, dict) and set(row) == {name} else row
        for row in request["instances"]
    ]
    outputs = signature(**{name: tf.constant(decoded(rows), spec.dtype)})
    values = {each: value.numpy().tolist() for each, value in outputs.items()}
    if len(values) == 1:
        (predictions,) = values.values()
    else:
        predictions = [dict(zip(values, row)) for row in zip(*values.values())]
    return json.dumps({"predictions": predictions})


def test_pixels_in_a_rest_request(model, loaded):
    images = photographs(12, 10).numpy()
    request = {"signature_name": "serving_uint8", "instances": images.tolist()}
    rows = json.loads(_serve(loaded, json.dumps(request)))["predictions"]
    want = expected(model, images, SIDE)
    for name, values in want.items():
        got = [row[name] for row in rows]
        np.testing.assert_allclose(got, values, rtol=0, atol=1e-5)


def test_files_in_a_rest_request(model, loaded):
    """Named and bare, of different sizes; one is no image, and its row alone is NaN."""
    photos = [sample_images.photo(24, 40, 1), sample_images.photo(50, 30, 2)]
    texts = [
        base64.b64encode(tf.io.encode_png(photo).numpy()).decode() for photo in photos
    ]
    named = [{"bytes": {"b64": text}} for text in texts]
    bare = [{"b64": text} for text in [*texts, base64.b64encode(b"none").decode()]]
    answers = [
        json.loads(
            _serve(loaded, json.dumps({"signature_name": "jpeg", "instances": rows}))
        )["predictions"]
        for rows in (named, bare)
    ]
    for place, photo in enumerate(photos):
        want = expected(model, photo[None], SIDE)["features"][0]
        for rows in answers:
            got = rows[place]["features"]
            np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)
    assert np.isnan(answers[1][2]["features"]).all()


def test_tensorflow_hub_trains_it(exported):
    hub = pytest.importorskip("tensorflow_hub", reason="is no longer installable here")
    layer = hub.KerasLayer(str(exported), trainable=True)
    head = tf.keras.layers.Dense(2)
    model = tf.keras.Sequential([layer, head])
    images = photographs(SIDE, SIDE).numpy() / np.float32(255)
    before = [variable.numpy() for variable in layer.trainable_weights]
    assert len(before) == 5  # Two kernels, a bias, scale and offset of batch norm.
    model.compile("sgd", tf.keras.losses.SparseCategoricalCrossentropy(True))
    model.fit(images, np.array([0, 1, 0]), epochs=1, verbose=0)
    for variable, value in zip(layer.trainable_weights, before):
        assert np.any(variable.numpy() != value), variable.name


_KERAS_3 = """
import sys
import numpy as np
import keras

folder, images = sys.argv[1], np.load(sys.argv[2])
layer = keras.layers.TFSMLayer(folder, call_endpoint="serving_default")
assert len(layer.trainable_weights) >= 5, len(layer.trainable_weights)
inputs = keras.Input(images.shape[1:])
model = keras.Model(inputs, layer(inputs)["features"])
np.save(sys.argv[3], model.predict(images, verbose=0))
before = [variable.numpy() for variable in layer.trainable_weights]
model.compile("sgd", "mse")
model.fit(images, np.zeros([len(images), 16]), verbose=0)
after = [variable.numpy() for variable in layer.trainable_weights]
assert sum(np.any(one != other) for one, other in zip(before, after)) >= 4
assert "simclr_tf" not in sys.modules
"""


@pytest.mark.skipif(
    not importlib.metadata.version("keras").startswith("3"),
    reason="TensorFlow 2.15 has Keras 2",
)
def test_keras_3_runs_it_as_a_layer(model, exported, tmp_path):
    images = photographs(61, 47).numpy() / np.float32(255)
    np.save(tmp_path / "in.npy", images)
    files = [str(tmp_path / name) for name in ("in.npy", "out.npy")]
    environment = {**os.environ, "TF_USE_LEGACY_KERAS": "0"}
    program = [sys.executable, "-c", _KERAS_3, str(exported), *files]
    subprocess.run(program, check=True, cwd=tmp_path, env=environment)
    want = expected(model, images, SIDE)["features"]
    np.testing.assert_allclose(np.load(files[1]), want, rtol=0, atol=1e-5)
