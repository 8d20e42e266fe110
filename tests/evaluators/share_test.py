"""Shares of the same images: their difference, and its error."""

import json
import math

import numpy as np
import pytest

from simclr_tf.evaluators.share import Share, error_of_difference, which_were_right


def test_a_share_is_a_number_that_knows_what_was_right():
    values = {"knn": Share(np.array([True, False, True, True])), "rank": 3.0}
    assert values["knn"] == 0.75
    assert json.loads(json.dumps(values)) == {"knn": 0.75, "rank": 3.0}
    assert which_were_right(values) == {"knn": "2022"}
    assert which_were_right({"views": Share(np.array([0.5, 0, 1]))}) == {"views": "102"}


def test_the_error_is_that_of_discordant_pairs():
    """McNemar's: of n images b are right in one alone, and c in the other alone."""
    b, c, both, n = 40, 25, 200, 500
    first = "2" * b + "0" * c + "2" * both + "0" * (n - b - c - both)
    second = "0" * b + "2" * c + "2" * both + "0" * (n - b - c - both)
    expected = math.sqrt(b + c - (b - c) ** 2 / n) / n
    assert error_of_difference(first, second) == pytest.approx(expected)
    assert error_of_difference(first, first) == 0.0


def test_it_is_what_the_difference_varies_by():
    """Over many samples, of answers that depend on the image, some of them halves."""
    draws = np.random.default_rng(0)
    likely = draws.random([2000, 400])  # How easy each image is.
    first = (likely > 0.5).astype(float)
    second = ((likely > 0.4) + 0.0 + (likely > draws.random(likely.shape))) / 2
    apart = (second - first).mean(1)
    errors = [
        error_of_difference(*(which_were_right({"a": Share(x)})["a"] for x in pair))
        for pair in zip(first[:50], second[:50])
    ]
    assert np.mean(errors) == pytest.approx(apart.std(), rel=0.05)
    independent = math.hypot(first.std(), second.std()) / math.sqrt(400)
    assert np.mean(errors) < 0.7 * independent


def test_other_images_have_no_pairs():
    assert error_of_difference("0220", "022") is None
    assert error_of_difference("", "") is None
