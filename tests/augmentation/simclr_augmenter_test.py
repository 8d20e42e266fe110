"""Two views: the recipe's order, purity, independence, proportions."""

import json

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation import (
    RandomColorJitter,
    RandomResizedCrop,
    SimCLRAugmenter,
    views_on_host,
)
from simclr_tf.errors import UserError


def _images(count, height=24, width=31):
    return tf.cast(
        tf.random.stateless_uniform([count, height, width, 3], [1, 2]) * 255, tf.uint8
    )


def _seeds(count):
    return randomness.example_seeds(5, 0, tf.range(count, dtype=tf.int64))


def test_two_views_have_the_promised_shape_and_range():
    views = SimCLRAugmenter(20).two_views(_images(6), _seeds(6))
    assert views.shape == [6, 2, 20, 20, 3]
    assert views.dtype == tf.float32
    assert float(tf.reduce_min(views)) >= 0.0
    assert float(tf.reduce_max(views)) <= 1.0


def test_two_views_do_not_depend_on_the_batch():
    augmenter = SimCLRAugmenter(20)
    images, seeds = _images(8), _seeds(8)
    whole = augmenter.two_views(images, seeds)
    order = [5, 2, 7]
    part = augmenter.two_views(tf.gather(images, order), tf.gather(seeds, order))
    np.testing.assert_allclose(tf.gather(whole, order), part, atol=1e-6)


def test_the_two_views_differ_and_so_do_the_seeds():
    augmenter = SimCLRAugmenter(20)
    views = augmenter.two_views(_images(8), _seeds(8)).numpy()
    other = augmenter.two_views(_images(8), _seeds(8) + 1).numpy()
    for row in range(8):
        assert not np.array_equal(views[row, 0], views[row, 1])
        assert not np.array_equal(views[row], other[row])


def test_views_without_seeds_are_new_each_time():
    augmenter = SimCLRAugmenter(20)
    images = _images(4)
    assert not np.array_equal(augmenter.two_views(images), augmenter.two_views(images))


def test_a_flag_leaves_its_operation_out():
    without = SimCLRAugmenter(20, color_strength=0.0, blur=False)
    sizes = tf.constant([[32, 32]])
    names = list(without.sample(tf.constant([[1, 2]]), sizes))
    assert names == ["0_crop", "1_flip"]
    names = list(SimCLRAugmenter(20).sample(tf.constant([[1, 2]]), sizes))
    assert names == [
        "0_crop",
        "1_flip",
        "2_color_jitter",
        "3_grayscale",
        "4_gaussian_blur",
    ]


_PROBABILITIES = {
    "flip_probability": 0.1,
    "jitter_probability": 0.2,
    "gray_probability": 0.3,
    "blur_probability": 0.4,
}


def test_every_probability_of_the_recipe_can_be_set_and_is_kept():
    augmenter = SimCLRAugmenter(20, **_PROBABILITIES)
    again = SimCLRAugmenter.from_config(augmenter.get_config())
    for each in (augmenter, again):
        layers = list(each.keyed_layers().values())[1:]
        assert [layer.probability for layer in layers] == [0.1, 0.2, 0.3, 0.4]
    assert augmenter.get_config()["layers"] is None


@pytest.mark.parametrize("name", _PROBABILITIES)
def test_a_probability_out_of_its_range_is_refused(name):
    with pytest.raises(UserError, match=r"probability must lie in .*got 1\.5"):
        SimCLRAugmenter(20, **{name: 1.5})


@pytest.mark.exhaustive
@pytest.mark.slow
def test_two_layers_of_one_class_draw_apart_and_with_their_own_settings():
    augmenter = SimCLRAugmenter(20, blur=False)
    augmenter.after_flip += [RandomColorJitter(0.1), RandomColorJitter(0.1)]
    drawn = augmenter.sample(_seeds(500), tf.tile([[32, 32]], [500, 1]))
    brightness = [each["brightness"] for each in drawn.values() if "hue" in each]
    assert len(brightness) == 3
    assert float(tf.reduce_max(tf.abs(brightness[1] - 1.0))) <= 0.08
    correlation = np.corrcoef(np.stack(brightness))
    assert np.abs(correlation - np.eye(3)).max() < 4.5 / np.sqrt(500)

    images = _images(6)
    views = augmenter.two_views(images, _seeds(6))
    host = tf.function(views_on_host, autograph=False)
    np.testing.assert_allclose(host(augmenter, images, _seeds(6)), views, atol=5e-6)


def test_a_subclass_of_the_crop_will_do():
    class Crop(RandomResizedCrop):
        pass

    augmenter, plain = SimCLRAugmenter(20), SimCLRAugmenter(20)
    augmenter.crop = Crop(20)
    np.testing.assert_array_equal(
        augmenter.two_views(_images(3), _seeds(3)),
        plain.two_views(_images(3), _seeds(3)),
    )


@tf.keras.utils.register_keras_serializable("tests")
class _OwnCrop(RandomResizedCrop):
    pass


def test_layers_that_were_changed_are_kept_in_the_config():
    augmenter = SimCLRAugmenter(20, blur=False)
    assert augmenter.get_config()["layers"] is None
    augmenter.crop = _OwnCrop(20, name="own_crop")
    augmenter.after_flip += [RandomColorJitter(0.3, stream=9)]
    config = tf.keras.layers.serialize(augmenter)
    again = tf.keras.layers.deserialize(json.loads(json.dumps(config)))
    assert list(again.keyed_layers()) == list(augmenter.keyed_layers())
    assert isinstance(again.crop, _OwnCrop)
    assert again.get_config() == augmenter.get_config()
    np.testing.assert_array_equal(
        again.two_views(_images(3), _seeds(3)),
        augmenter.two_views(_images(3), _seeds(3)),
    )


def test_the_recipes_own_layers_have_streams_of_their_own():
    layers = SimCLRAugmenter(20).keyed_layers().values()
    assert len({layer.stream for layer in layers}) == 5


def test_canvases_give_the_views_of_their_originals():
    original = tf.image.resize(_images(6, 8, 16), [120, 240])
    original = tf.cast(original, tf.uint8)
    canvas = tf.cast(tf.image.resize(original, [120, 180]), tf.uint8)
    canvas = tf.image.pad_to_bounding_box(canvas, 0, 0, 180, 180)
    augmenter = SimCLRAugmenter(32, blur=False)
    expected = augmenter.two_views(original, _seeds(6))
    got = augmenter.two_views(canvas, _seeds(6), sizes=tf.constant([[120, 240]] * 6))
    assert float(tf.reduce_mean(tf.abs(got - expected))) < 0.02
