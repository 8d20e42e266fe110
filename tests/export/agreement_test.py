"""What is noticed of an export that answers otherwise, or does not run."""

import dataclasses

import numpy as np
import pytest

from simclr_tf.export.agreement import EXACT, LIMITS, Disagreement, agreement

_WANT = np.random.default_rng(0).normal(size=[20, 16]) + 5.0


def test_the_same_answers_agree():
    found = agreement(_WANT, _WANT)
    assert (found.max_difference, found.error, found.top1) == (0.0, 0.0, None)
    assert found.cosine == pytest.approx(1.0)
    found.require(EXACT)


def test_a_cosine_does_not_tell_images_apart_and_the_error_does():
    """Features with a common part: those of another image are nearly parallel."""
    found = agreement(_WANT, np.roll(_WANT, 1, axis=0))
    assert found.cosine > 0.9
    assert found.error > 1.0
    for limit in LIMITS.values():
        with pytest.raises(Disagreement, match="of the spread"):
            found.require(limit)


def test_answers_that_are_no_numbers_disagree():
    got = _WANT.copy()
    got[3, 4] = np.nan
    with pytest.raises(Disagreement):
        agreement(_WANT, got).require(LIMITS["int8"])


def test_a_collapsed_encoder_agrees_with_its_copy():
    constant = np.ones([20, 16]) + 1e-9 * _WANT
    agreement(constant, constant + 1e-6).require(EXACT)


def test_of_classifiers_the_most_probable_class_counts():
    want = np.eye(4)[np.arange(20) % 4]
    found = agreement(want, want, classes=True)
    assert found.top1 == 1.0
    assert "same class 100.0%" in str(found)
    with pytest.raises(Disagreement, match="must have the same class"):
        dataclasses.replace(found, top1=0.9).require(EXACT)
