"""Every augmentation goes through the same trials."""

import keras_cv
import numpy as np
import pytest
import tensorflow as tf

from simclr_tf import augmentation, randomness

_LAYERS = {
    "RandomResizedCrop": {"height": 16, "width": 12, "area": (0.3, 0.9)},
    "RandomHorizontalFlip": {"probability": 0.4},
    "RandomColorJitter": {"strength": 0.7, "brightness_rule": "additive"},
    "RandomGrayscale": {"probability": 0.5},
    "RandomGaussianBlur": {"kernel_size": 5, "sigma": (0.2, 1.0)},
    "SimCLRAugmenter": {"image_size": 20, "color_strength": 0.5},
}


@pytest.fixture(params=_LAYERS)
def layer(request):
    return getattr(augmentation, request.param)(**_LAYERS[request.param], seed=3)


@pytest.fixture(scope="module")
def images():
    return tf.cast(tf.random.stateless_uniform([9, 24, 31, 3], [1, 2]) * 255, tf.uint8)


@pytest.fixture(scope="module")
def seeds():
    return randomness.example_seeds(5, 0, tf.range(9, dtype=tf.int64))


def _augment(layer, images, seeds):
    return layer({"images": images, "seeds": seeds})["images"]


def test_is_a_batched_keras_cv_layer(layer):
    base = keras_cv.layers.VectorizedBaseImageAugmentationLayer
    assert isinstance(layer, base)


def test_gives_float32_in_the_unit_range(layer, images, seeds):
    got = _augment(layer, images, seeds)
    assert got.dtype == tf.float32
    # Cubic interpolation may overshoot; only the whole recipe clips.
    slack = 0.3 if isinstance(layer, augmentation.RandomResizedCrop) else 1e-6
    assert float(tf.reduce_min(got)) >= -slack
    assert float(tf.reduce_max(got)) <= 1 + slack


def test_uint8_and_float_images_give_the_same(layer, images, seeds):
    as_float = tf.image.convert_image_dtype(images, tf.float32)
    np.testing.assert_allclose(
        _augment(layer, images, seeds), _augment(layer, as_float, seeds), atol=1e-5
    )


def test_is_a_pure_function_of_image_and_seeds(layer, images, seeds):
    whole = _augment(layer, images, seeds)
    np.testing.assert_array_equal(whole, _augment(layer, images, seeds))
    alone = _augment(layer, images[4:5], seeds[4:5])
    np.testing.assert_allclose(whole[4:5], alone, atol=1e-6)


def test_graph_and_xla_give_the_same(layer, images, seeds):
    eager = _augment(layer, images, seeds)
    for compiled in (False, True):
        graph = tf.function(lambda i, s: _augment(layer, i, s), jit_compile=compiled)
        np.testing.assert_allclose(graph(images, seeds), eager, atol=5e-6)


def test_calls_without_seeds_differ(layer, images):
    first, second = layer(images), layer(images)
    assert not np.array_equal(first, second)


def test_takes_one_image_or_a_dict_with_labels(layer, images):
    assert layer(images[0]).shape.rank == 3
    labels = tf.range(9)
    got = layer({"images": images, "labels": labels})
    np.testing.assert_array_equal(got["labels"], labels)


def test_works_in_a_tf_data_map_and_in_a_keras_model(layer, images):
    data = tf.data.Dataset.from_tensors(images).map(layer)
    model = tf.keras.Sequential([tf.keras.Input([24, 31, 3]), layer])
    shape = layer.compute_output_shape(images.shape)
    for got in (next(iter(data)), model(images)):
        assert got.shape == shape


def test_is_rebuilt_from_its_config(layer, images, seeds):
    config = tf.keras.saving.serialize_keras_object(layer)
    again = tf.keras.saving.deserialize_keras_object(config)
    assert again.get_config() == layer.get_config()
    np.testing.assert_array_equal(
        _augment(again, images, seeds), _augment(layer, images, seeds)
    )


@pytest.mark.parametrize("name", _LAYERS)
def test_stays_in_full_precision_whatever_the_policy(name, images, seeds):
    make = getattr(augmentation, name)
    expected = _augment(make(**_LAYERS[name]), images, seeds)
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    got = _augment(make(**_LAYERS[name]), images, seeds)
    assert got.dtype == tf.float32
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("name", _LAYERS)
def test_float64_agrees_with_float32(name, images, seeds):
    make = getattr(augmentation, name)
    expected = _augment(make(**_LAYERS[name]), images, seeds)
    tf.keras.backend.set_floatx("float64")
    got = _augment(make(**_LAYERS[name]), images, seeds)
    assert got.dtype == tf.float64
    np.testing.assert_allclose(got, expected, atol=1e-4)
