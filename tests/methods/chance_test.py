"""What a model that knows nothing has is what the objective gives of one."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.methods import METHODS, Method, method_class

IMAGES = 6
CLASSES = 5
OUTPUTS = {"rotation": 4, "jigsaw": 64, "supervised": CLASSES}


@pytest.mark.parametrize("name", METHODS)
def test_the_loss_of_equal_outputs_is_that_by_chance(name):
    """Projections that are all alike, and scores that are all 0."""
    method = method_class(name)()
    if name in OUTPUTS:
        views = 1 if name == "jigsaw" else method.num_views
        outputs = tf.zeros([views * IMAGES, OUTPUTS[name]])
    else:
        outputs = tf.ones([2 * IMAGES, 8])
    labels = tf.constant(np.arange(IMAGES) % CLASSES, tf.int32)
    seeds = tf.stack([tf.range(IMAGES), tf.range(IMAGES)], axis=1)
    values = method.objective(outputs, labels, seeds)
    chance = method.chance(IMAGES, CLASSES)
    (loss,) = (measure for measure in chance if measure.endswith("_loss"))
    assert float(values[loss]) == pytest.approx(chance[loss], rel=1e-5)
    assert set(chance) <= set(method.measures)


def test_accuracies_by_chance():
    chances = {name: method_class(name)().chance(IMAGES, CLASSES) for name in METHODS}
    assert chances["simclr"]["contrastive_accuracy"] == 1 / 11
    assert chances["rotation"]["rotation_accuracy"] == 1 / 4
    assert chances["jigsaw"]["jigsaw_accuracy"] == 1 / 64
    assert chances["supervised"]["supervised_accuracy"] == 1 / 5
    # How many views are of an anchor's class is not known.
    assert "contrastive_accuracy" not in chances["supcon"]
    assert method_class("supervised")().chance(IMAGES, None) == {}
    assert Method().chance(IMAGES, CLASSES) == {}
