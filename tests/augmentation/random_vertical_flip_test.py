"""Images are mirrored top to bottom."""

import numpy as np
import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation import RandomVerticalFlip

_SEEDS = randomness.example_seeds(0, 0, tf.range(400, dtype=tf.int64))


def test_half_of_the_images_are_mirrored_top_to_bottom():
    images = np.random.default_rng(0).uniform(size=[400, 3, 4, 3]).astype(np.float32)
    got = RandomVerticalFlip()({"images": images, "seeds": _SEEDS})["images"].numpy()
    mirrored = np.array([np.array_equal(a, b[::-1]) for a, b in zip(got, images)])
    same = np.array([np.array_equal(a, b) for a, b in zip(got, images)])
    assert (mirrored ^ same).all()
    assert abs(mirrored.mean() - 0.5) < 4 * 0.5 / np.sqrt(400)
