"""Encoders by name."""

import sys

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.encoder import Capabilities, ResNet, capabilities_of, make_encoder
from simclr_tf.encoder.keras_applications import (
    application_of,
    applications,
    require_unit_range,
)
from simclr_tf.errors import UserError
from tests import tiny

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "depth", "width", "sk_ratio"),
    [
        ("resnet18", 18, 1, 0.0),
        ("resnet18x0.25", 18, 0.25, 0.0),
        pytest.param("resnet50x2", 50, 2, 0.0, marks=pytest.mark.exhaustive),
        ("resnet50x1.0", 50, 1, 0.0),
        ("resnet34-sk", 34, 1, 0.0625),
        pytest.param("resnet152x3-sk", 152, 3, 0.0625, marks=pytest.mark.exhaustive),
    ],
)
def test_a_resnets_name_says_depth_width_and_kernels(name, depth, width, sk_ratio):
    encoder = make_encoder(name, image_size=224)
    assert isinstance(encoder, ResNet)
    assert (encoder.depth, encoder.width_multiplier) == (depth, width)
    assert encoder.sk_ratio == sk_ratio
    assert not encoder.cifar_stem


def test_a_resnet_for_weights_of_pytorch_normalises_rgb_images_as_those_expect():
    encoder = make_encoder("resnet18x0.25-torch", image_size=64)
    assert encoder.torchvision
    assert tuple(encoder.image_mean) == (0.485, 0.456, 0.406)
    assert tuple(encoder.image_std) == (0.229, 0.224, 0.225)
    assert not make_encoder("resnet18x0.25", image_size=64).torchvision
    with pytest.raises(UserError, match=r"for RGB images, .* have 1 channels"):
        make_encoder("resnet18-torch", image_size=64, channels=1)


def test_a_resnet_of_the_registry_maps_images_to_features():
    encoder = make_encoder("resnet18x0.25", image_size=16)
    images = tf.random.stateless_uniform([2, 16, 16, 3], [4, 2])
    features = encoder(images)
    assert features.shape == [2, 128]
    assert encoder.name == "encoder"
    assert np.std(features) > 0.0


def test_small_images_get_the_cifar_stem_unless_told_otherwise():
    assert make_encoder("resnet18", image_size=32).cifar_stem
    assert not make_encoder("resnet18", image_size=33).cifar_stem
    assert not make_encoder("resnet18", image_size=32, cifar_stem=False).cifar_stem


@pytest.mark.parametrize(
    ("name", "width"),
    [
        ("VGG16", 512),
        pytest.param("MobileNetV2", 1280, marks=pytest.mark.exhaustive),
        pytest.param("EfficientNetB0", 1280, marks=pytest.mark.exhaustive),
    ],
)
def test_a_keras_application_takes_images_in_the_unit_range(tmp_path, name, width):
    """What it makes of them is what its own preprocessing makes of pixels.

    Also once it is rebuilt from its config, or saved and loaded.
    """
    encoder = make_encoder(name, image_size=32)
    images = tf.random.stateless_uniform([2, 32, 32, 3], [4, 2])
    features = encoder(images, training=False)
    assert features.shape == (2, width)
    body = encoder.layers[-1]
    module = {
        "VGG16": tf.keras.applications.vgg16,
        "MobileNetV2": tf.keras.applications.mobilenet_v2,
        "EfficientNetB0": tf.keras.applications.efficientnet,
    }[name]
    expected = body(module.preprocess_input(images * 255.0), training=False)
    tf.debugging.assert_near(features, expected, atol=1e-6)
    again = type(encoder).from_config(encoder.get_config())
    again.set_weights(encoder.get_weights())
    encoder.save(tmp_path / "encoder.keras")
    for other in (again, tf.keras.models.load_model(tmp_path / "encoder.keras")):
        tf.debugging.assert_near(other(images, training=False), features, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "colour"),
    [
        ("MobileNetV3Small", [255.0, 255.0, 255.0]),
        # Other tests encode with these two.
        pytest.param("MobileNet", [1.0, 1.0, 1.0], marks=pytest.mark.exhaustive),
        pytest.param(
            *("VGG16", [255 - 103.939, 255 - 116.779, 255 - 123.68]),
            marks=pytest.mark.exhaustive,
        ),
    ],
)
def test_every_preprocessing_of_an_application_is_found(name, colour):
    """Small models of each of the three ranges: [-1, 1], [0, 255], and BGR."""
    encoder = make_encoder(name, image_size=32)
    scaled = encoder.layers[1](tf.ones([1, 32, 32, 3]))
    np.testing.assert_allclose(scaled[0, 0, 0], colour, rtol=1e-5)


@pytest.mark.parametrize(
    "name", ["resnet18x", "resnet18x1.2.3", "resnet50x-sk", "resnet50sk", "resnet-50"]
)
def test_a_misspelt_resnet_is_told_how_names_are_made(name):
    with pytest.raises(ValueError, match=f"{name}' is unknown.*as in resnet18x0.25"):
        make_encoder(name, image_size=32)


@pytest.mark.parametrize("name", ["resnet18x0", "resnet18x0.01"])
def test_a_width_without_channels_is_refused(name):
    with pytest.raises(ValueError, match="width_multiplier must be at least 1/64"):
        make_encoder(name, image_size=32)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("resnet19", "resnet18"),
        ("resnet", "resnet"),
        ("MobilNetV2", "MobileNetV2"),
        ("vit_tini16", "vit_tiny16"),
        ("vit_tiny0", "vit_tiny16"),
    ],
)
def test_an_unknown_name_gets_suggestions(name, nearest):
    with pytest.raises(
        ValueError, match=f"{name}' is unknown.*Did you mean.*{nearest}"
    ):
        make_encoder(name, image_size=32)


def test_an_application_that_needs_larger_images_says_so():
    with pytest.raises(ValueError, match="'InceptionV3' does not take images of 32 px"):
        make_encoder("InceptionV3", image_size=32)


def test_a_function_of_ones_own_is_an_encoder():
    encoder = make_encoder(tiny.NAME, image_size=16)
    for size in (12, 16):
        assert encoder(tf.zeros([2, size, size, 3])).shape == [2, tiny.FEATURES]


@pytest.mark.parametrize(
    ("name", "any_size", "rematerializes", "multiple"),
    [
        ("resnet50-sk", True, True, 1),
        ("EfficientNetB0", False, False, 1),
        ("vit_small14", False, True, 14),
        (tiny.NAME, None, False, 1),  # Its function says nothing.
    ],
)
def test_a_name_says_what_its_encoder_can_do(name, any_size, rematerializes, multiple):
    can = capabilities_of(name)
    assert can.takes_any_size is any_size
    assert can.can_rematerialize is rematerializes
    assert can.size_multiple == multiple


@Capabilities(can_rematerialize=True, no_decay=("scale",))
def a_capable_function(image_size, rematerialize=False):
    return tf.keras.layers.Rescaling(1.0, name=f"{image_size}_{rematerialize}")


def test_a_function_of_ones_own_says_what_it_can_do():
    name = f"{__name__}:a_capable_function"
    assert capabilities_of(name).no_decay == ("scale",)
    assert make_encoder(name, image_size=9, rematerialize=True).name == "9_True"
    assert make_encoder(name, image_size=9).name == "9_False"


def a_number(image_size):
    return image_size


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tests.nowhere:encoder", "'tests.nowhere:encoder' cannot be imported: No mod"),
        ("tests.tiny:nothing", "cannot be imported: .*no attribute 'nothing'.*PYTHONP"),
        (":encoder", "cannot be imported"),
        ("tests.encoder.registry_test:a_number", "must return a Keras model, got int"),
    ],
)
def test_a_function_that_gives_no_encoder_is_told(name, message):
    with pytest.raises(UserError, match=message):
        make_encoder(name, image_size=16)


def _pooled(**settings):
    return tf.keras.applications.MobileNet(
        include_top=False, weights=None, pooling="avg", **settings
    )


@pytest.fixture(scope="module")
def application():
    model = _pooled(alpha=0.25, input_shape=(32, 32, 3))
    model._name = "mine"
    return model


def test_a_keras_application_is_wrapped_with_its_weights(application):
    body = application
    encoder = make_encoder(body)
    images = tf.random.stateless_uniform([2, 32, 32, 3], [4, 2])
    wanted = body(images * 2.0 - 1.0, training=False)
    np.testing.assert_allclose(encoder(images, training=False), wanted, atol=1e-6)


def test_an_application_of_any_size_is_wrapped():
    encoder = make_encoder(_pooled(alpha=0.25, input_shape=(None, None, 3)))
    assert encoder(tf.zeros([2, 40, 48, 3])).shape == [2, 256]


def _small(*first):
    layers = [tf.keras.layers.Conv2D(4, 3), tf.keras.layers.GlobalAveragePooling2D()]
    return tf.keras.Sequential([tf.keras.Input([8, 8, 3]), *first, *layers])


@pytest.mark.parametrize("image_range", [(0, 255), (-1, 1)])
def test_a_model_of_a_known_range_is_wrapped(image_range):
    body = _small()
    encoder = make_encoder(body, image_range=image_range)
    for value, expected in zip((0.0, 1.0), image_range):
        np.testing.assert_allclose(
            encoder(tf.fill([1, 8, 8, 3], value)),
            body(tf.fill([1, 8, 8, 3], float(expected))),
            rtol=1e-5,
        )


def test_what_make_encoder_must_be_told():
    with pytest.raises(UserError, match=r"unknown: pass image_range=\(0, 1\)"):
        make_encoder(_small())
    with pytest.raises(UserError, match="values of black and white"):
        make_encoder(_small(), image_range=(1, 1))
    with pytest.raises(UserError, match="not for a name"):
        make_encoder("resnet18", image_size=32, image_range=(0, 1))
    with pytest.raises(UserError, match="needs image_size"):
        make_encoder("resnet18")


def test_an_encoder_that_expects_another_range_is_refused(application):
    nested = tf.keras.Sequential([tf.keras.Input([32, 32, 3]), application])
    of_pixels = _small(tf.keras.layers.Rescaling(1 / 255.0))
    normalized = _small(tf.keras.layers.Normalization(mean=123.0, variance=58.0**2))
    flat = tf.keras.Model(application.input, application.output * 2.0)
    for encoder in (application, nested, flat, of_pixels, normalized):
        with pytest.raises(UserError, match=r"make_encoder\(model\)"):
            require_unit_range(encoder)
        require_unit_range(make_encoder(encoder))
    images = tf.keras.Input([32, 32, 3])
    scaled = tf.keras.layers.Rescaling(2.0, -1.0)(images)
    require_unit_range(_pooled(alpha=0.25, input_tensor=scaled))
    require_unit_range(_small())
    require_unit_range(_small(tf.keras.layers.Rescaling(2.0, -1.0)))
    require_unit_range(ResNet(18))


# Quickly built, as EfficientNet is not; MobileNet is recognised above.
_COMMON = {"VGG16"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in _COMMON else pytest.mark.exhaustive)
        for name in sorted(applications())
    ],
)
def test_every_application_is_recognised_whatever_its_name(name):
    settings = {"include_top": False, "weights": None, "input_shape": (96, 96, 3)}
    with tf.Graph().as_default():
        model = applications()[name](**settings)
        model._name = "encoder"
        found = application_of(model)
    preprocessing, wanted = (
        sys.modules[applications()[each].__module__].preprocess_input
        for each in (found, name)
    )
    white = np.full([1, 2, 2, 3], 255.0, "float32")
    np.testing.assert_allclose(preprocessing(white.copy()), wanted(white.copy()))
