"""Random numbers: exact, independent, and the same wherever they are drawn."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf import randomness

# Known answers of Threefry-2x32 with 20 rounds, from its authors' test vectors.
_KNOWN = [
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 2, (0x1CB996FC, 0xBB002BE7)),
    (
        (0x13198A2E, 0x03707344),
        (0x243F6A88, 0x85A308D3),
        (0xC4923A9C, 0x483DF7A0),
    ),
]


def _words(values):
    return tuple(tf.constant(value, tf.uint32) for value in values)


@pytest.mark.parametrize(("key", "counter", "answer"), _KNOWN)
def test_threefry_gives_the_known_answers(key, counter, answer):
    words = randomness.threefry(_words(key), _words(counter))
    assert tuple(int(word) for word in words) == answer


def test_uniform_is_the_same_in_any_batch_and_under_xla():
    seeds = randomness.example_seeds(7, 3, tf.range(50, dtype=tf.int64))
    whole = randomness.uniform(seeds, stream=2, count=5)
    one = randomness.uniform(seeds[17:18], stream=2, count=5)
    compiled = tf.function(
        lambda s: randomness.uniform(s, stream=2, count=5), jit_compile=True
    )
    np.testing.assert_array_equal(whole[17:18], one)
    np.testing.assert_array_equal(whole, compiled(seeds))


def test_uniform_fills_the_unit_interval():
    seeds = randomness.example_seeds(0, 0, tf.range(20_000, dtype=tf.int64))
    draws = randomness.uniform(seeds, stream=0, count=3).numpy()
    assert draws.min() >= 0.0
    assert draws.max() < 1.0
    histogram = np.histogram(draws, bins=20, range=(0, 1))[0]
    expected = draws.size / 20
    assert np.sum((histogram - expected) ** 2 / expected) < 43.8  # chi2(19), p 0.001


def test_streams_examples_epochs_and_seeds_are_uncorrelated():
    index = tf.range(20_000, dtype=tf.int64)
    base = randomness.example_seeds(0, 0, index)
    columns = [
        randomness.uniform(base, 0, 2)[:, 0],
        randomness.uniform(base, 0, 2)[:, 1],
        randomness.uniform(base, 1, 1)[:, 0],
        randomness.uniform(randomness.fold_in(base, 0), 0, 1)[:, 0],
        randomness.uniform(randomness.fold_in(base, 1), 0, 1)[:, 0],
        randomness.uniform(randomness.example_seeds(0, 1, index), 0, 1)[:, 0],
        randomness.uniform(randomness.example_seeds(1, 0, index), 0, 1)[:, 0],
        randomness.uniform(randomness.example_seeds(0, 0, index + 1), 0, 1)[:, 0],
    ]
    correlation = np.corrcoef(np.stack(columns)) - np.eye(len(columns))
    assert np.abs(correlation).max() < 4.5 / np.sqrt(20_000)


def test_indices_beyond_32_bits_have_seeds_of_their_own():
    near = randomness.example_seeds(0, 0, tf.constant([5], tf.int64))
    far = randomness.example_seeds(0, 0, tf.constant([5 + 2**32], tf.int64))
    assert not np.array_equal(near, far)
