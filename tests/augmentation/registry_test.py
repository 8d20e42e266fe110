"""Views as a string, and layers that the package does not know."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf import augmentation, randomness
from simclr_tf.augmentation import SimCLRAugmenter, parse_views, views_on_host
from simclr_tf.errors import UserError

pytestmark = pytest.mark.slow

_SEEDS = randomness.example_seeds(0, 0, tf.range(24, dtype=tf.int64))
_IMAGES = np.random.default_rng(0).integers(0, 256, [24, 18, 20, 3], np.uint8)


def _both_forms(augmenter):
    """Views by the batched form, which the form for single images has to equal."""
    views = augmenter.two_views(_IMAGES, _SEEDS).numpy()

    @tf.function(autograph=False, jit_compile=True)
    def host():
        return views_on_host(augmenter, _IMAGES, _SEEDS)

    np.testing.assert_allclose(host(), views, atol=5e-6)
    return views


def test_the_papers_recipe_as_a_string_makes_the_same_views():
    layers = parse_views("crop(0.08)|flip|jitter(0.5)|gray|blur", 16)
    by_string = SimCLRAugmenter(16, layers=layers)
    by_settings = SimCLRAugmenter(16, color_strength=0.5)
    np.testing.assert_array_equal(
        by_string.two_views(_IMAGES, _SEEDS), by_settings.two_views(_IMAGES, _SEEDS)
    )


def test_numbers_are_the_layers_settings():
    crop, flip, jitter, solarize, turn = parse_views(
        "crop(0.3, 0.9) | flip(0.1)|jitter(0.7,0.6)|solarize(0.2,0.4)|turn", 16
    )
    assert (crop.height, crop.width, crop.area) == (16, 16, (0.3, 0.9))
    assert flip.probability == 0.1
    assert (jitter.strength, jitter.probability) == (0.7, 0.6)
    assert (solarize.probability, solarize.threshold) == (0.2, 0.4)
    assert isinstance(turn, augmentation.RandomQuarterTurn)


@pytest.mark.parametrize(
    "layer",
    [
        *("flip(0.3)", "jitter(1.0, 0.3)", "gray(0.3)", "blur(0.3)"),
        *("solarize(0.3)", "turn(0.3)", "vflip(0.3)"),
    ],
)
def test_every_layers_probability_can_be_said(layer):
    assert parse_views(f"crop|{layer}", 16)[1].probability == 0.3


@pytest.mark.parametrize(
    "views",
    [
        "crop(0.5)|solarize(1.0)|flip|solarize(1.0)",
        pytest.param("crop", marks=pytest.mark.exhaustive),
        pytest.param("crop|vflip(1.0)|turn", marks=pytest.mark.exhaustive),
    ],
)
def test_layers_in_any_order_have_both_forms(views):
    augmenter = SimCLRAugmenter(16, layers=parse_views(views, 16))
    assert len(augmenter.keyed_layers()) == views.count("|") + 1
    _both_forms(augmenter)


def test_a_layer_that_comes_twice_draws_twice():
    layers = parse_views("crop|solarize(0.5)|solarize(0.5)", 16)
    drawn = SimCLRAugmenter(16, layers=layers).sample(
        randomness.example_seeds(0, 0, tf.range(2000, dtype=tf.int64)),
        tf.tile([[18, 20]], [2000, 1]),
    )
    first, second = (each["solarize"].numpy() for each in list(drawn.values())[1:])
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(2000)


@tf.keras.utils.register_keras_serializable("tests")
class _Channels(augmentation.StatelessAugmentation):
    """A newcomer's augmentation: two methods, and no stream to be chosen."""

    def sample(self, seeds, sizes):
        return {"swap": randomness.uniform(seeds, self.stream, 1)[:, 0] < 0.5}

    def augment_images(self, images, transformations, **_):
        swap = transformations["swap"][:, None, None, None]
        return tf.where(swap, tf.reverse(images, [-1]), images)


def test_a_newcomers_augmentation_needs_two_methods():
    crop, flip = parse_views("crop|flip", 16)
    augmenter = SimCLRAugmenter(16, layers=[crop, flip, _Channels()])
    views = _both_forms(augmenter)
    plain = SimCLRAugmenter(16, color_strength=0.0, blur=False)
    swapped = views != plain.two_views(_IMAGES, _SEEDS).numpy()
    swapped = swapped.any(axis=(2, 3, 4))
    assert 0.2 < swapped.mean() < 0.8
    again = tf.keras.layers.deserialize(tf.keras.layers.serialize(augmenter))
    np.testing.assert_array_equal(again.two_views(_IMAGES, _SEEDS), views)
    # Layers that do not name a stream have different ones.
    own = {_Channels().stream, augmentation.RandomSolarize().stream}
    own |= {augmentation.RandomQuarterTurn().stream}
    assert len(own) == 3
    assert min(own) >= 2**31


@pytest.mark.parametrize("layers", ["flip", "crop"])
def test_views_of_another_size_are_refused(layers):
    made = [augmentation.RandomHorizontalFlip()]
    if layers == "crop":
        made = parse_views("crop", 20)
    with pytest.raises(UserError, match="RandomResizedCrop to 16 px"):
        SimCLRAugmenter(16, layers=made)
