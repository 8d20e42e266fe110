"""Encoders rebuilt of stock layers answer as they do, and what cannot be is refused."""

import numpy as np
import pytest
import tensorflow as tf

import simclr_tf
from simclr_tf.encoder import make_encoder
from simclr_tf.encoder.vit import VisionTransformer
from simclr_tf.export.served import Served
from simclr_tf.export.stock_layers import NotStock
from simclr_tf.export.stock_model import stock_model
from simclr_tf.head import ClassifierHead, ProjectionHead
from simclr_tf.methods.supervised import SupervisedMethod
from simclr_tf.model import Learner
from tests import tiny
from tests.export.exported import learned

_SIDE = 32


def _torch():
    return simclr_tf.ResNet(
        18,
        width_multiplier=0.25,
        blocks=[1, 1],
        torchvision=True,
        image_mean=[0.5, 0.4, 0.3],
        image_std=[0.2, 0.3, 0.4],
    )


def _pixels():
    """A user's model behind the scaling that it expects, which gives a map."""
    layers = tf.keras.layers
    body = tf.keras.Sequential(
        [layers.Conv2D(8, 3, input_shape=(None, None, 3)), layers.ReLU()]
    )
    return make_encoder(body, image_range=(0, 255))


def _branches():
    """A Functional model of the user's own: a layer used twice, and the package's."""
    layers = tf.keras.layers
    images = tf.keras.Input((None, None, 3))
    shared = layers.Conv2D(3, 3, padding="same", name="conv2d")
    first = simclr_tf.SyncBatchNormalization()(shared(images))
    inner = tf.keras.Sequential([layers.ReLU(), layers.Conv2D(3, 1)])
    second = inner(shared(layers.subtract([first, images])))
    joined = layers.Concatenate()([first, second])
    return tf.keras.Model(images, layers.GlobalAveragePooling2D()(joined))


_ENCODERS = {
    "branches": _branches,
    "tiny": tiny.encoder,
    "basic": lambda: simclr_tf.ResNet(
        18, width_multiplier=0.25, blocks=[1, 1], cifar_stem=True
    ),
    "selective": lambda: simclr_tf.ResNet(
        50, width_multiplier=0.25, blocks=[1, 1], sk_ratio=0.0625
    ),
    "torchvision": _torch,
    "vit": lambda: VisionTransformer(16, width=24, depth=2, heads=3),
    "pixels": _pixels,
    "caffe": lambda: make_encoder("ResNet50", image_size=_SIDE),
}


def _served(encoder, **settings):
    head = ClassifierHead(3, kept=ProjectionHead(num_kept=1))
    model = Learner(encoder, head, SupervisedMethod())
    model.build((None, _SIDE, _SIDE, 3))
    return Served(learned(model), _SIDE, **settings)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.exhaustive) if name == "caffe" else name
        for name in _ENCODERS
    ],
)
def test_it_answers_as_the_encoder(name):
    served = _served(_ENCODERS[name](), input_size=(40, 56))
    images = tf.random.stateless_uniform([3, 40, 56, 3], [1, 2])
    rebuilt = stock_model(served)
    want = served.answer(images).numpy()
    assert np.ptp(want, axis=0).max() > 1e-3
    np.testing.assert_allclose(
        rebuilt(images), want, rtol=0, atol=1e-5 * np.abs(want).max()
    )
    for layer in rebuilt._flatten_layers():
        assert not type(layer).__module__.startswith(("simclr_tf", "tests"))
        assert "Lambda" not in type(layer).__name__  # Keras 3 has none of those.


def test_images_of_any_size_and_a_classifier():
    served = _served(tiny.encoder(), classes=["a", "b", "c"])
    rebuilt = stock_model(served)
    for size in ([2, 40, 56, 3], [1, 100, 33, 3]):
        images = tf.random.stateless_uniform(size, [1, 2])
        want = served.answer(images)
        np.testing.assert_allclose(rebuilt(images), want, rtol=0, atol=1e-6)
        np.testing.assert_allclose(np.sum(want, axis=1), 1.0, rtol=1e-5)
    features = tf.keras.Model(rebuilt.input, rebuilt.get_layer("features").output)
    want = Served(served.model, _SIDE).answer(images)
    np.testing.assert_allclose(features(images), want, rtol=0, atol=1e-5)


class _Own(tf.keras.layers.Layer):
    def call(self, inputs):
        return inputs


@pytest.mark.parametrize("layer", [_Own(), tf.keras.layers.Lambda(lambda x: 2 * x)])
def test_a_layer_of_the_users_own_is_refused_by_its_name(layer):
    encoder = tf.keras.Sequential([*tiny.encoder().layers, layer])
    with pytest.raises(NotStock, match=type(layer).__name__) as raised:
        stock_model(_served(encoder))
    assert "export savedmodel, tflite or onnx" in str(raised.value)
