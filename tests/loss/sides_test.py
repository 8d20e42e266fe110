"""Anchors know their own place, their other view's, and their image."""

import numpy as np
import tensorflow as tf

from simclr_tf.loss.sides import make_sides


def test_both_views_of_an_image_share_its_id():
    z = np.random.default_rng(0).normal(size=[2, 5, 3])
    sides = make_sides(*map(tf.constant, z), temperature=0.5)
    ids, candidate_ids = sides.image_ids()
    assert ids.numpy().tolist() == [0, 1, 2, 3, 4] * 2
    assert candidate_ids.numpy().tolist() == [0, 1, 2, 3, 4] * 2
    assert sides.own.numpy().tolist() == list(range(10))
    assert sides.other.numpy().tolist() == [5, 6, 7, 8, 9, 0, 1, 2, 3, 4]
    np.testing.assert_allclose(sides.anchors, 2.0 * sides.candidates, rtol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(sides.candidates, axis=1), 1.0)
