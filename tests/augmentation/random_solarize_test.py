"""Bright pixels are inverted, dark ones stay."""

import numpy as np
import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation import RandomSolarize

_SEEDS = randomness.example_seeds(0, 0, tf.range(400, dtype=tf.int64))


def test_values_from_the_threshold_on_are_inverted():
    image = np.linspace(0.0, 1.0, 12, dtype=np.float32).reshape(1, 2, 2, 3)
    got = RandomSolarize(1.0, 0.6)({"images": image, "seeds": _SEEDS[:1]})["images"]
    np.testing.assert_allclose(got, np.where(image >= 0.6, 1 - image, image))


def test_as_many_images_as_asked_for():
    images = np.full([400, 1, 1, 3], 0.75, np.float32)
    got = RandomSolarize(0.2)({"images": images, "seeds": _SEEDS})["images"].numpy()
    share = np.mean(got[:, 0, 0, 0] == 0.25)
    assert abs(share - 0.2) < 4 * 0.4 / np.sqrt(400)
