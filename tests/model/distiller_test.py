"""A student learns from a teacher that stays as it is, the same on any devices."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.head import ClassifierHead
from simclr_tf.methods import Method
from simclr_tf.methods.distillation import DistillationMethod
from simclr_tf.model import Learner
from simclr_tf.model.distiller import Distiller
from tests import tiny

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("replicas 2")]

_VIEWS = np.random.default_rng(0).uniform(size=[16, 1, 8, 8, 3])
# The second replica knows no label of the first batch.
_LABELS = np.array([0, 1, 2, -1] + [-1] * 4 + [-1, -1, 2, 1] + [-1, 0, -1, -1])


def _randomly(model):
    generator = np.random.default_rng(1)
    for variable in model.variables:
        if variable.dtype.is_floating and variable.shape.rank:
            variable.assign(0.5 + 0.3 * generator.uniform(size=variable.shape))
    return model


def _teacher():
    teacher = Learner(tiny.encoder(), ClassifierHead(3), Method())
    teacher.build((None, 8, 8, 3))
    return _randomly(teacher)


def _student(strategy, **settings):
    with strategy.scope():
        tf.keras.utils.set_random_seed(0)
        teacher = _teacher()
        student = Distiller(
            tiny.encoder(),
            ClassifierHead(3),
            DistillationMethod(0.5, 0.25),
            teacher=teacher,
            **settings,
        )
        student.build((None, 8, 8, 3))
        _randomly(student)
        student.compile(tf.keras.optimizers.SGD(0.1, momentum=0.9))
    return student, teacher


def _trained(strategy, **settings):
    tf.keras.backend.set_floatx("float64")
    student, teacher = _student(strategy, **settings)
    before = teacher.get_weights()
    data = tf.data.Dataset.from_tensor_slices({"views": _VIEWS, "label": _LABELS})
    history = student.fit(data.batch(8, drop_remainder=True), verbose=0).history
    for old, new in zip(before, teacher.get_weights()):
        np.testing.assert_array_equal(new, old)
    return student.get_weights(), history


def test_replicas_train_like_one_device_and_the_teacher_stays(replicas):
    weights, history = _trained(tf.distribute.get_strategy())
    found_weights, found = replicas(2).run(_trained)
    for wanted, each in zip(weights, found_weights):
        np.testing.assert_allclose(each, wanted, rtol=1e-9, atol=1e-9)
    for name, values in history.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-9, err_msg=name)


def test_the_loss_is_that_of_both_models_logits():
    """Of views as they are, in training mode of the student alone."""
    student, teacher = _student(tf.distribute.get_strategy())
    images = tf.constant(_VIEWS[:8, 0], tf.float32)
    taught = teacher.projection_head(teacher(images, training=False)) / 0.5
    logits = student.projection_head(student(images, training=True))
    targets, ours = tf.nn.softmax(taught), tf.nn.log_softmax(logits / 0.5)
    alone = -tf.reduce_mean(tf.reduce_sum(targets * ours, axis=1))
    of_labels = tf.gather(tf.nn.log_softmax(logits)[:3], [0, 1, 2], batch_dims=1)
    values = student.learn(
        {
            "views": tf.constant(_VIEWS[:8], tf.float32),
            "label": tf.constant(_LABELS[:8]),
        }
    )
    np.testing.assert_allclose(values["distillation_loss"], alone, rtol=1e-5)
    expected = 0.75 * alone - 0.25 * tf.reduce_mean(of_labels)
    np.testing.assert_allclose(values["loss"], expected, rtol=1e-5)


def test_micro_batches_learn_and_the_variables_are_those_of_a_learner():
    weights, history = _trained(tf.distribute.get_strategy(), micro_batches=2)
    assert np.isfinite(history["loss"]).all()
    plain = Learner(tiny.encoder(), ClassifierHead(3), Method())
    plain.build((None, 8, 8, 3))
    plain.set_weights(weights)
