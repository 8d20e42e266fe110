"""A classifier stands on what is kept of a projection head."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.head import ClassifierHead, ProjectionHead


def _whole():
    tf.keras.utils.set_random_seed(0)
    head = ProjectionHead(num_layers=3, hidden_dim=6, out_dim=4)
    head(tf.zeros([2, 8]))
    for variable in head.variables:
        noise = tf.random.stateless_normal(variable.shape, [1, 2])
        variable.assign(0.5 + tf.abs(noise))
    return head


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_the_first_layers_are_those_of_the_projection_head(layers):
    whole = _whole()
    kept = ProjectionHead(num_layers=3, hidden_dim=6, out_dim=4, num_kept=layers)
    head = ClassifierHead(5, kept=kept)
    h = tf.random.stateless_normal([3, 8], [3, 4])
    head(h)
    for ours, theirs in zip(kept.layers, whole.layers):
        ours.set_weights(theirs.get_weights())
    assert len(kept.layers) == layers
    expected = whole.layer_outputs(h, training=False)[layers]
    np.testing.assert_array_equal(kept(h, training=False), expected)
    logits = expected @ head.classes.kernel + head.classes.bias
    np.testing.assert_allclose(head(h, training=False), logits, rtol=1e-5, atol=1e-6)


def test_it_is_made_again_from_its_config():
    head = ClassifierHead(5, kept=ProjectionHead(num_layers=2, num_kept=1))
    h = tf.random.stateless_normal([3, 8], [3, 4])
    head(h)
    again = ClassifierHead.from_config(head.get_config())
    again(h)
    again.set_weights(head.get_weights())
    np.testing.assert_array_equal(again(h), head(h))


def test_without_a_projection_head_it_is_linear():
    head = ClassifierHead(3)
    h = tf.random.stateless_normal([2, 4], [0, 0])
    np.testing.assert_allclose(head(h), h @ head.classes.kernel, rtol=1e-6)
    assert float(tf.math.reduce_std(head.classes.kernel)) < 0.03


def test_numbers_out_of_range_are_refused():
    with pytest.raises(UserError, match="num_classes must be 2 or more, got 1"):
        ClassifierHead(1)
    with pytest.raises(UserError, match="num_kept must be 0 to num_layers, 2, got 3"):
        ProjectionHead(num_layers=2, num_kept=3)
