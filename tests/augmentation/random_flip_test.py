"""Images are mirrored left to right, or top to bottom, by draws of their own."""

import zlib

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation import RandomHorizontalFlip, RandomVerticalFlip

_SEEDS = randomness.example_seeds(0, 0, tf.range(400, dtype=tf.int64))


@pytest.mark.parametrize(
    ("layer", "axis"), [(RandomHorizontalFlip, 1), (RandomVerticalFlip, 0)]
)
def test_half_of_the_images_are_mirrored(layer, axis):
    images = np.random.default_rng(0).uniform(size=[400, 3, 4, 3]).astype(np.float32)
    got = layer()({"images": images, "seeds": _SEEDS})["images"].numpy()
    pairs = list(zip(got, images))
    mirrored = np.array([np.array_equal(a, np.flip(b, axis)) for a, b in pairs])
    same = np.array([np.array_equal(a, b) for a, b in pairs])
    assert (mirrored ^ same).all()
    assert abs(mirrored.mean() - 0.5) < 4 * 0.5 / np.sqrt(400)


def test_their_streams_are_those_of_runs_already_made():
    assert RandomHorizontalFlip.stream == 1
    name = b"RandomVerticalFlip"
    assert RandomVerticalFlip.stream == 2**31 + zlib.crc32(name) // 2
