"""A classifier's SavedModel answers with TensorFlow alone as the model does."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.augmentation import evaluation_view
from simclr_tf.export import export_classifier
from simclr_tf.head import ClassifierHead
from simclr_tf.methods.supervised import SupervisedMethod
from simclr_tf.model import Learner
from tests import sample_images, tiny

_NAMES = ["cat", "dog", "a/<b>"]


@pytest.fixture(scope="module")
def model():
    tf.keras.utils.set_random_seed(0)
    model = Learner(tiny.encoder(), ClassifierHead(3), SupervisedMethod())
    model.build((None, 16, 16, 3))
    kernel = model.projection_head.classes.kernel
    kernel.assign(tf.random.stateless_normal(kernel.shape, [1, 2], stddev=3.0))
    return model


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "classifier"
    export_classifier(model, path, classes=_NAMES, image_size=16)
    return path


def _expected(model, images):
    views = evaluation_view(tf.constant(images), 16)
    logits = model.projection_head(model(views, training=False), training=False)
    return tf.nn.softmax(logits).numpy()


def test_with_tensorflow_alone(model, folder, tmp_path):
    photos = np.stack([sample_images.photo(24, 40, k) for k in range(3)])
    files = [sample_images.jpeg(photo) for photo in photos]
    np.savez(tmp_path / "in.npz", photos=photos, files=np.array(files, object))
    script = f"""
import sys
import numpy as np
import tensorflow as tf

f = tf.saved_model.load({str(folder)!r})
arrays = np.load({str(tmp_path / "in.npz")!r}, allow_pickle=True)
photos = arrays["photos"]
unit = tf.constant(photos / 255.0, tf.float32)
s = f.signatures
answers = [
    s["classify"](images=unit),
    s["serving_default"](images=unit),
    s["serving_uint8"](images=tf.constant(photos)),
    s["serving_0_255"](images_0_255=255.0 * unit),
]
for answer in answers:
    assert answer["classes"].shape == (3, 3), answer["classes"].shape
    assert [c.decode() for c in answer["classes"][1].numpy()] == {_NAMES!r}
files = s["jpeg"](bytes=tf.constant(list(arrays["files"])))
assert files["classes"].shape == (3, 3)
bad = s["jpeg"](bytes=tf.constant([arrays["files"][0], b"no image"]))
assert not any(name.startswith(("simclr", "keras_cv")) for name in sys.modules)
np.savez(
    {str(tmp_path / "out.npz")!r},
    *[answer["probabilities"] for answer in answers],
    called=f(tf.constant(photos)),
    files=files["probabilities"],
    bad=bad["probabilities"],
)
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)
    answers = np.load(tmp_path / "out.npz")
    expected = _expected(model, photos / 255.0)
    assert expected.max() - expected.min() > 0.1
    for name in ("arr_0", "arr_1", "arr_2", "arr_3", "called"):
        np.testing.assert_allclose(answers[name], expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(answers["files"].sum(axis=1), 1.0, rtol=1e-5)
    assert np.isfinite(answers["bad"][0]).all()
    assert np.isnan(answers["bad"][1]).all()


def test_it_says_what_it_is(folder):
    stated = json.loads((folder / "simclr.json").read_text())
    assert stated["classes"] == _NAMES
    assert stated["image_size"] == 16
    assert "feature_dim" not in stated


def test_it_can_be_trained_further(folder):
    loaded = tf.saved_model.load(str(folder))
    images = tf.random.uniform([4, 16, 16, 3])
    with tf.GradientTape() as tape:
        loss = -tf.reduce_sum(tf.math.log(loaded(images, training=True)[:, 0]))
    gradients = tape.gradient(loss, list(loaded.trainable_variables))
    assert len(gradients) == 5  # Two kernels, a bias, scale and offset of batch norm.
    assert all(gradient is not None for gradient in gradients)
