"""Quarter turns, as often as asked for."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation import RandomQuarterTurn
from simclr_tf.errors import UserError

_SEEDS = randomness.example_seeds(0, 0, tf.range(3000, dtype=tf.int64))


def _turned(images, seeds, **settings):
    return RandomQuarterTurn(**settings)({"images": images, "seeds": seeds})["images"]


def test_images_are_turned_by_what_was_drawn():
    images = np.random.default_rng(0).uniform(size=[40, 5, 5, 3]).astype(np.float32)
    drawn = RandomQuarterTurn().sample(_SEEDS[:40], None)["turns"].numpy()
    assert set(drawn) == {0, 1, 2, 3}
    for got, image, turns in zip(_turned(images, _SEEDS[:40]), images, drawn):
        np.testing.assert_array_equal(got, np.rot90(image, turns))


@pytest.mark.parametrize("probability", [0.0, 0.3, 0.75, 1.0])
def test_turns_come_as_often_as_asked_for(probability):
    drawn = RandomQuarterTurn(probability).sample(_SEEDS, None)["turns"].numpy()
    shares = np.bincount(drawn, minlength=4) / len(drawn)
    expected = np.array([1 - probability, *[probability / 3] * 3])
    assert np.abs(shares - expected).max() < 4 * 0.5 / np.sqrt(len(drawn))


def test_images_that_are_not_square_are_refused():
    with pytest.raises(UserError, match="turns square images"):
        _turned(np.zeros([2, 4, 6, 3], np.float32), _SEEDS[:2])


def test_its_config_makes_it_again():
    layer = RandomQuarterTurn(0.4, seed=3)
    again = RandomQuarterTurn.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.probability == 0.4
