"""Every augmentation goes through the same trials."""

import functools

import keras_cv
import numpy as np
import pytest
import tensorflow as tf

from simclr_tf import augmentation, randomness
from simclr_tf.augmentation import StatelessAugmentation
from simclr_tf.errors import UserError

pytestmark = pytest.mark.slow

_LAYERS = {
    "RandomResizedCrop": {"height": 16, "width": 12, "area": (0.3, 0.9)},
    "RandomHorizontalFlip": {"probability": 0.4},
    "RandomColorJitter": {"strength": 0.7, "brightness_rule": "additive"},
    "RandomGrayscale": {"probability": 0.5},
    "RandomSolarize": {"probability": 0.5},
    "RandomVerticalFlip": {"probability": 0.4},
    "RandomGaussianBlur": {"kernel_size": 5, "sigma": (0.2, 1.0)},
    "RandomQuarterTurn": {"probability": 0.75},
    "SimCLRAugmenter": {"image_size": 20, "color_strength": 0.5},
}


# Of what takes time to compile, the common tier has the recipe, which holds them all.
_RECIPE_FIRST = [
    pytest.param(name, marks=[] if "Augmenter" in name else pytest.mark.exhaustive)
    for name in _LAYERS
]
_compiled = pytest.mark.parametrize("layer", _RECIPE_FIRST, indirect=True)


@pytest.fixture(params=_LAYERS)
def layer(request):
    return getattr(augmentation, request.param)(**_LAYERS[request.param], seed=3)


_IMAGES = tf.cast(tf.random.stateless_uniform([9, 24, 31, 3], [1, 2]) * 255, tf.uint8)


@pytest.fixture
def images(request):
    """Of another height than width, but for the layer that takes square ones alone."""
    names = getattr(request.node, "callspec", None)
    turned = names is not None and "RandomQuarterTurn" in names.params.values()
    return _IMAGES[:, :, :24] if turned else _IMAGES


def test_no_layer_is_left_out():
    exported = map(functools.partial(getattr, augmentation), augmentation.__all__)
    layers = {
        each.__name__
        for each in exported
        if isinstance(each, type) and issubclass(each, StatelessAugmentation)
    }
    assert layers - {"StatelessAugmentation"} == set(_LAYERS)


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


@_compiled
@pytest.mark.parametrize(
    "compiled", [pytest.param(False, marks=pytest.mark.exhaustive), True]
)
def test_graph_and_xla_give_the_same(layer, images, seeds, compiled):
    eager = _augment(layer, images, seeds)
    graph = tf.function(
        lambda i, s: _augment(layer, i, s),
        jit_compile=compiled,
        autograph=not compiled,
    )
    np.testing.assert_allclose(graph(images, seeds), eager, atol=5e-6)


def test_calls_without_seeds_differ(layer, images):
    first, second = layer(images), layer(images)
    assert not np.array_equal(first, second)


def test_takes_one_image_or_a_dict_with_labels(layer, images):
    assert layer(images[0]).shape.rank == 3
    labels = tf.range(9)
    got = layer({"images": images, "labels": labels})
    np.testing.assert_array_equal(got["labels"], labels)


@pytest.mark.parametrize(
    "layer",
    [
        pytest.param(name, marks=[] if "Gray" in name else pytest.mark.exhaustive)
        for name in _LAYERS
    ],
    indirect=True,
)
def test_works_in_a_tf_data_map_and_in_a_keras_model(layer, images):
    data = tf.data.Dataset.from_tensors(images).map(layer)
    model = tf.keras.Sequential(
        [tf.keras.Input(images.shape[1:], dtype="uint8"), layer]
    )
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


def test_a_stream_of_its_own_gives_other_draws(seeds):
    images = _IMAGES[:, :, :24]
    for name, settings in _LAYERS.items():
        make = getattr(augmentation, name)
        layer, other = make(**settings), make(**settings, stream=77)
        again = make.from_config(other.get_config())
        got = _augment(other, images, seeds)
        assert not np.array_equal(got, _augment(layer, images, seeds)), name
        np.testing.assert_array_equal(got, _augment(again, images, seeds))


@pytest.mark.parametrize("dtype", [tf.int32, tf.int64])
def test_refuses_integers_that_are_not_pixels_in_a_graph_too(layer, images, dtype):
    wrong = tf.cast(images, dtype)
    for call in (layer, tf.function(layer)):
        with pytest.raises(UserError, match="cast to uint8"):
            call(wrong)
        with pytest.raises(UserError, match="cast to uint8"):
            call({"images": wrong})


def test_refuses_floats_out_of_range(layer, images, seeds):
    floats = tf.cast(images, tf.float32)
    with pytest.raises(UserError, match=r"Divide pixels in 0\.\.255"):
        layer(floats)
    with pytest.raises(UserError, match=r"Divide pixels in 0\.\.255"):
        _augment(layer, floats, seeds)
    with pytest.raises(UserError, match="standardises"):
        layer(floats / 128.0 - 1.0)


def test_refuses_ragged_images_by_name(layer, images):
    ragged = tf.ragged.stack([images[0], images[1, :10, :12]])
    for inputs in (ragged, {"images": ragged}):
        with pytest.raises(UserError, match=f"{type(layer).__name__}.*Ragged"):
            layer(inputs)


def _places(count):
    boxes = {"boxes": tf.fill([count, 1, 4], 5.0), "classes": tf.zeros([count, 1])}
    masks = tf.zeros([count, 24, 31, 1])
    points = tf.ones([count, 2, 2])
    return {
        "bounding_boxes": boxes,
        "segmentation_masks": masks,
        "keypoints": points,
    }


@pytest.mark.parametrize("seeded", [False, True])
def test_what_has_a_place_in_images_stays_or_is_refused(layer, images, seeds, seeded):
    for key, value in _places(9).items():
        inputs = {"images": images, key: value}
        if seeded:
            inputs["seeds"] = seeds
        if layer.moves_pixels:
            with pytest.raises(UserError, match=f"moves pixels.*{key}"):
                layer(inputs)
        else:
            got = layer(inputs)[key]
            if key == "bounding_boxes":
                got, value = got["boxes"], value["boxes"]
            if isinstance(got, tf.RaggedTensor):
                got = got.to_tensor()
            np.testing.assert_array_equal(got, value)


def test_seeds_without_a_batch_and_a_dict_without_images_are_refused(layer, images):
    with pytest.raises(UserError, match="seeds"):
        layer({"images": images[0], "seeds": [1, 2]})
    with pytest.raises(UserError, match='dict with "images"'):
        layer({"image": images})


@pytest.mark.parametrize("strength", [-0.1, float("inf"), float("nan")])
def test_a_colour_strength_out_of_range_is_refused(strength):
    with pytest.raises(UserError, match="strength must be at least 0 and finite"):
        augmentation.RandomColorJitter(strength)
    with pytest.raises(UserError, match="strength must be at least 0 and finite"):
        augmentation.SimCLRAugmenter(20, color_strength=strength)
