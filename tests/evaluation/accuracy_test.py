"""Top-1 and top-5 accuracy of class scores."""

import numpy as np
import pytest

from simclr_tf.evaluation.accuracy import top1_and_top5


def test_counts_ranks_below_one_and_five():
    scores = np.array([[6.0, 5.0, 4.0, 3.0, 2.0, 1.0]] * 6)
    top1, top5 = top1_and_top5(scores, np.arange(6))
    assert top1 == pytest.approx(1 / 6)
    assert top5 == pytest.approx(5 / 6)


def test_a_tie_is_one_hit_for_the_lowest_class():
    scores = np.ones([6, 6])
    top1, top5 = top1_and_top5(scores, np.arange(6))
    assert top1 == pytest.approx(1 / 6)
    assert top5 == pytest.approx(5 / 6)


def test_minus_infinity_is_never_a_hit():
    scores = np.full([6, 6], -np.inf)
    scores[:, 5] = 0.0
    assert top1_and_top5(scores, np.arange(6)) == (1 / 6, 1 / 6)


@pytest.mark.parametrize(("classes", "stated"), [(4, False), (5, True)])
def test_top5_is_none_below_five_classes(classes, stated):
    _, top5 = top1_and_top5(np.eye(classes), np.arange(classes))
    assert (top5 is not None) == stated
