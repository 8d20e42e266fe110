"""All four turns of a view, and which is which."""

import numpy as np
import tensorflow as tf

from simclr_tf.methods import method_class

_METHOD = method_class("rotation")()


def test_views_are_the_four_quarter_turns():
    drawn = np.random.default_rng(0).uniform(size=[3, 1, 6, 6, 3])
    views = _METHOD.arrange(tf.constant(drawn), tf.zeros([3, 2], tf.int32))
    assert views.shape == (3, 4, 6, 6, 3)
    for turns in range(4):
        expected = np.rot90(drawn[:, 0], turns, axes=(1, 2))
        np.testing.assert_array_equal(views[:, turns], expected)


def test_the_classes_are_the_turns_view_by_view():
    logits = 9.0 * tf.one_hot(tf.repeat(tf.range(4), 3), 4, dtype=tf.float64)
    told = _METHOD.objective(logits, None, None)
    assert told["rotation_accuracy"] == 1.0
    np.testing.assert_allclose(told["loss"], np.log(1 + 3 * np.exp(-9.0)), rtol=1e-9)
    wrong = _METHOD.objective(tf.roll(logits, 3, axis=0), None, None)
    assert wrong["rotation_accuracy"] == 0.0


def test_the_head_tells_four_turns_in_float32_under_any_policy():
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    head = _METHOD.make_head(layers=3, hidden_dim=8, out_dim=128)
    logits = _METHOD.project(head, tf.ones([8, 5]), training=True)
    assert logits.shape == (8, 4)
    assert logits.dtype == tf.float32
