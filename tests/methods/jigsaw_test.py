"""Nine pieces, where they come from and the order they are put in."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.methods import method_class
from simclr_tf.methods.jigsaw import permutations_far_apart

_METHOD = method_class("jigsaw")(permutations=8)
_SEEDS = tf.constant(np.random.default_rng(0).integers(-(2**31), 2**31, [40, 2]))
_SEEDS = tf.cast(_SEEDS, tf.int32)


def _pieces(side):
    """Pieces of images whose pixels tell their row and column."""
    rows, columns = np.mgrid[:side, :side] / side
    image = np.stack([rows, columns, rows + columns], axis=-1)
    drawn = np.tile(image, [len(_SEEDS), 1, 1, 1, 1])
    return _METHOD.arrange(tf.constant(drawn), _SEEDS).numpy()


def test_pieces_have_their_own_mean_and_deviation():
    pieces = _pieces(45)
    assert pieces.shape == (40, 9, 13, 13, 3)
    np.testing.assert_allclose(pieces.mean(axis=(2, 3)), 0.5, atol=1e-9)
    np.testing.assert_allclose(pieces.std(axis=(2, 3)), 0.25, rtol=1e-2)


def test_pieces_lie_in_their_cells_with_gaps_and_in_the_order_told(monkeypatch):
    monkeypatch.setattr("simclr_tf.methods.jigsaw._normalized", lambda pieces: pieces)
    side, cell, piece = 45, 15, 13
    pieces = np.rint(_pieces(side)[..., :2] * side).astype(int)
    corners = pieces[:, :, 0, 0]
    np.testing.assert_array_equal(pieces[:, :, -1, -1], corners + piece - 1)
    found = corners // cell @ [3, 1]
    told = _METHOD._drawn(_SEEDS).numpy()
    np.testing.assert_array_equal(found, permutations_far_apart(8)[told])
    assert len(set(told)) == 8
    shifts = corners % cell
    assert shifts.min() == 0
    assert shifts.max() == cell - piece
    assert np.unique(shifts.reshape(-1, 2), axis=0).shape == (9, 2)


def test_the_head_sees_the_nine_pieces_of_an_image_side_by_side():
    features = tf.reshape(tf.range(9 * 2 * 3), [18, 3])  # Two images.
    seen = []
    _METHOD.project(lambda x, training: seen.append(x), features, training=True)
    (side_by_side,) = seen
    assert side_by_side.shape == (2, 27)
    np.testing.assert_array_equal(side_by_side[1, :6], [3, 4, 5, 9, 10, 11])


def test_permutations_differ_in_most_places():
    chosen = permutations_far_apart(64)
    assert len(np.unique(chosen, axis=0)) == 64
    assert (np.sort(chosen, axis=1) == np.arange(9)).all()
    distance = (chosen[:, None] != chosen).sum(axis=2)
    # Random permutations differ in eight of nine places.
    assert distance[np.triu_indices(64, 1)].mean() > 8.1


def test_views_too_small_for_gaps_are_refused():
    with pytest.raises(UserError, match=r"views of 12 px or more.*got 11"):
        _METHOD.arrange(tf.zeros([2, 1, 11, 11, 3]), _SEEDS[:2])
    assert _METHOD.arrange(tf.zeros([2, 1, 12, 12, 3]), _SEEDS[:2]).shape[2:4] == (3, 3)


def test_as_many_permutations_as_there_may_be():
    with pytest.raises(UserError, match="2 to 1,000, got 1"):
        method_class("jigsaw")(permutations=1)
