"""What was exported can be trained on."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.augmentation import evaluation_view
from tests.export.exported import SIDE, photographs

# One process, so that the model is exported once.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("exported")]


def test_fine_tunes(to_train):
    images, labels = photographs(SIDE, SIDE, count=32), tf.range(32) % 2
    probe = tf.Variable(tf.random.stateless_normal([16, 2], [0, 0]))
    variables = [*to_train.trainable_variables, probe]
    optimizer = tf.keras.optimizers.SGD(0.05)
    optimizer.build(variables)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(
                    labels, to_train(images, training=True) @ probe
                )
            )
        gradients = tape.gradient(loss, variables)
        assert all(gradient is not None for gradient in gradients)
        optimizer.apply_gradients(zip(gradients, variables))
        return loss

    losses = [float(step()) for _ in range(15)]
    assert losses[-1] < losses[0]


def test_gradients_are_those_of_the_model(model, loaded):
    images = tf.cast(photographs(SIDE, SIDE), tf.float32) / 255
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(loaded(images, training=False) ** 2)
    got = tape.gradient(value, loaded.trainable_variables)
    with tf.GradientTape() as tape:
        h = model(evaluation_view(images, SIDE), training=False)
        value = tf.reduce_sum(h**2)
    want = tape.gradient(value, model.encoder.trainable_variables)
    for one, other in zip(got, want):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_only_training_moves_the_statistics_of_batch_norm(to_train):
    [mean] = [
        v for v in to_train.variables if "moving_mean" in v.name and v.shape == [8]
    ]
    before = mean.numpy()
    images = photographs(50, 60)
    still = to_train(images, training=False)
    np.testing.assert_array_equal(mean, before)
    moving = to_train(images, training=True)
    assert not np.allclose(mean, before)
    assert not np.allclose(still, moving)
