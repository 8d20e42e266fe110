"""AutoGraph converts what users write, and none of the package's own code."""

import traceback

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf import Learner, ProjectionHead
from simclr_tf.augmentation import SimCLRAugmenter
from simclr_tf.methods import NTXentMethod
from simclr_tf.training.train_function import make_train_function

pytestmark = pytest.mark.slow


@tf.autograph.experimental.do_not_convert
def _converted():
    """Names of the functions on the stack that AutoGraph made."""
    stack = traceback.extract_stack()
    return {frame.name for frame in stack if frame.name.startswith("tf__")}


class _Encoder(tf.keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = tf.keras.layers.Dense(8)
        self.seen = []

    def call(self, images, training=None):
        self.seen.append(_converted())
        if tf.reduce_mean(images) > 2.0:
            images = -images
        return self.dense(tf.reduce_mean(images, axis=[1, 2]))


class _Method(NTXentMethod):
    def objective(self, projections, labels, seeds):
        values = super().objective(projections, labels, seeds)
        if tf.reduce_mean(projections) > 1e3:
            values["loss"] = values["loss"] * 0.0
        return values


def test_users_code_is_converted_and_the_packages_is_not():
    encoder = _Encoder()
    head = ProjectionHead(hidden_dim=8, out_dim=4)
    augmenter = SimCLRAugmenter(12, color_strength=0.0, blur=False)
    model = Learner(encoder, head, method=_Method(0.5), augmenter=augmenter)
    model.compile("sgd")
    model.build([None, 12, 12, 3])
    images = np.random.default_rng(0).random([8, 12, 12, 3], np.float32)
    train = make_train_function(model.learn, tf.distribute.get_strategy())
    train(iter(tf.data.Dataset.from_tensor_slices(images).batch(4)), 2)
    names = set.union(*encoder.seen)
    # The encoder's own, and the loop of steps.
    assert names == {"tf__call", "tf__train"}
