"""A loss that still falls is told from one that has levelled out."""

import numpy as np
import pytest

from simclr_tf.evaluators.unfinished import at_half, still_falling

_CHANCE = 6.24


def _falls(values):
    return still_falling([{"loss": value} for value in values], "loss", _CHANCE, 2.0)


def _epochs(loss, count=40, noise=0.0):
    """Losses after each epoch of a half-cosine, as a function of the way gone by."""
    time = np.arange(1, count + 1) / count
    gone = time + np.sin(np.pi * time) / np.pi  # of all steps' length
    return loss(gone) + noise * np.random.default_rng(0).standard_normal(count)


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_even_progress_is_no_end_and_a_level_is(noise):
    assert _falls(_epochs(lambda gone: _CHANCE - gone, noise=noise))
    levelled = _epochs(lambda gone: _CHANCE - 1 + np.exp(-8 * gone), noise=noise)
    assert _falls(levelled) is None


def test_noise_is_no_fall():
    draws = np.random.default_rng(0).standard_normal([100, 24])
    found = [_falls(_CHANCE - 0.5 + 0.1 * each) is not None for each in draws]
    assert sum(found) < 10


def test_the_means_of_both_quarters_are_told():
    assert _falls([9, 9, 9, 9, 5, 4.8, 4, 3.8]) == pytest.approx((4.9, 3.9))


def test_few_epochs_a_rise_or_a_loss_above_chance_tell_nothing():
    assert _falls([6, 5, 4]) is None
    assert _falls([3, 3, 4, 5]) is None
    assert _falls([9, 8.5, 8, 7]) is None
    assert still_falling([{"other": 1.0}] * 8, "loss", _CHANCE, 2.0) is None


def test_the_last_measurement_of_the_first_half():
    rows = [{}, {"knn": 0.2}, {}, {"knn": 0.3}, {}, {"knn": 0.5}, {}, {"knn": 0.6}]
    assert at_half(rows, "knn") == 0.3
    assert at_half(rows[:2], "knn") is None
    assert at_half([], "knn") is None
