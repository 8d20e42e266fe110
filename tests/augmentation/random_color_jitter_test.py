"""Jitter draws as the recipe says and applies its operations in their order."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation import RandomColorJitter, color

_COUNT = 24_000


def _sample(**settings):
    seeds = randomness.example_seeds(0, 0, tf.range(_COUNT, dtype=tf.int64))
    drawn = RandomColorJitter(**settings).sample(seeds, tf.zeros([_COUNT, 2], tf.int32))
    return {name: value.numpy() for name, value in drawn.items()}


def test_parameters_fill_the_published_ranges():
    drawn = _sample(strength=1.0)
    for name in ("brightness", "contrast", "saturation"):
        assert drawn[name].min() == pytest.approx(0.2, abs=1e-3)
        assert drawn[name].max() == pytest.approx(1.8, abs=1e-3)
    assert drawn["hue"].min() == pytest.approx(-0.2, abs=1e-3)
    assert drawn["hue"].max() == pytest.approx(0.2, abs=1e-3)
    assert drawn["apply"].mean() == pytest.approx(0.8, abs=0.01)


def test_additive_brightness_is_a_shift():
    drawn = _sample(strength=0.5, brightness_rule="additive")
    assert drawn["brightness"].min() == pytest.approx(-0.4, abs=1e-3)
    assert drawn["brightness"].max() == pytest.approx(0.4, abs=1e-3)


def test_all_24_orders_come_equally_often():
    orders = [tuple(order) for order in _sample()["order"]]
    counts = [orders.count(order) for order in itertools.permutations(range(4))]
    assert sum(counts) == _COUNT
    expected = _COUNT / 24
    chi2 = sum((count - expected) ** 2 / expected for count in counts)
    assert chi2 < 49.7  # 23 degrees of freedom, p 0.001


@pytest.mark.parametrize("rule", ["multiplicative", "additive"])
def test_operations_follow_one_another_clipped_after_each(rule):
    images = tf.random.stateless_uniform([24, 8, 9, 3], [5, 6])
    layer = RandomColorJitter(1.0, brightness_rule=rule)
    seeds = randomness.example_seeds(1, 0, tf.range(24, dtype=tf.int64))
    drawn = dict(layer.sample(seeds, tf.zeros([24, 2], tf.int32)))
    drawn["order"] = tf.constant(list(itertools.permutations(range(4))))
    got = layer.augment_images(images, drawn)
    bright = (
        color.scale_brightness if rule == "multiplicative" else color.add_brightness
    )
    steps = [
        (bright, "brightness"),
        (color.adjust_contrast, "contrast"),
        (color.adjust_saturation, "saturation"),
        (color.adjust_hue, "hue"),
    ]
    for row, order in enumerate(drawn["order"].numpy()):
        image = images[row : row + 1]
        if drawn["apply"][row]:
            for operation in order:
                function, name = steps[operation]
                image = function(image, drawn[name][row : row + 1])
                image = tf.clip_by_value(image, 0.0, 1.0)
        np.testing.assert_allclose(got[row], image[0], atol=2e-6)


def test_images_of_unknown_channels_are_refused():
    layer = RandomColorJitter()
    drawn = layer.sample(tf.zeros([2, 2], tf.int32), tf.ones([2, 2], tf.int32))
    spec = tf.TensorSpec([2, 8, 8, None])
    draw = tf.function(lambda images: layer.augment_images(images, drawn), [spec])
    with pytest.raises(ValueError, match="must know how many channels"):
        draw(tf.zeros([2, 8, 8, 3]))


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="at least 0 and finite, got -1"):
        RandomColorJitter(-1)
    with pytest.raises(ValueError, match="brightness_rule must be one of"):
        RandomColorJitter(brightness_rule="simclrv1")
