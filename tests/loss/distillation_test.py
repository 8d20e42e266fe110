"""Distillation, exact in float64, with and without labels."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.head import ClassifierHead
from simclr_tf.loss.distillation import distill
from simclr_tf.methods.distillation import DistillationMethod

_RANDOM = np.random.default_rng(0)
_LOGITS, _TAUGHT = 3.0 * _RANDOM.normal(size=[2, 6, 5])
_LABELS = np.array([2, -1, 1, -1, -1, 0], np.int32)


def _softmax(logits):
    exponential = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponential / exponential.sum(axis=1, keepdims=True)


def _cross_entropy(logits):
    known = _LABELS >= 0
    return -np.log(_softmax(logits)[known, _LABELS[known]]).mean()


@pytest.mark.parametrize("temperature", [1.0, 0.1, 4.0])
def test_it_is_equation_3_and_the_teacher_learns_nothing(temperature):
    logits, taught = tf.Variable(_LOGITS), tf.Variable(_TAUGHT)
    with tf.GradientTape() as tape:
        found = distill(logits, taught, temperature=temperature)
        mean = tf.reduce_mean(found)
    ours, theirs = _softmax(_LOGITS / temperature), _softmax(_TAUGHT / temperature)
    expected = -(theirs * np.log(ours)).sum(axis=1)
    assert found.dtype == tf.float64
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    gradient, of_teacher = tape.gradient(mean, [logits, taught])
    np.testing.assert_allclose(
        gradient, (ours - theirs) / temperature / 6, rtol=0, atol=1e-14
    )
    assert of_teacher is None


@pytest.mark.parametrize("weight", [0.0, 0.3])
def test_labels_count_by_their_weight(weight):
    method = DistillationMethod(2.0, weight)
    assert method.learns_from_labels == (weight > 0)
    projections = tf.constant(np.concatenate([_LOGITS, _TAUGHT], axis=1))
    found = method.objective(projections, tf.constant(_LABELS), None)
    theirs = _softmax(_TAUGHT / 2.0)
    alone = -(theirs * np.log(_softmax(_LOGITS / 2.0))).sum(axis=1).mean()
    expected = (1.0 - weight) * alone + weight * _cross_entropy(_LOGITS)
    np.testing.assert_allclose(found["loss"], expected, rtol=1e-12)
    np.testing.assert_allclose(found["distillation_loss"], alone, rtol=1e-12)
    same = _LOGITS.argmax(axis=1) == _TAUGHT.argmax(axis=1)
    np.testing.assert_allclose(found["agreement"], same.mean(), rtol=1e-12)


def test_the_head_sees_representations_alone():
    tf.keras.backend.set_floatx("float64")
    head = ClassifierHead(5)
    features = tf.constant(_RANDOM.normal(size=[6, 7]))
    given = tf.concat([features, tf.constant(_TAUGHT)], axis=1)
    projections = DistillationMethod().project(head, given, training=True)
    np.testing.assert_array_equal(projections[:, :5], head(features))
    np.testing.assert_array_equal(projections[:, 5:], _TAUGHT)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": 0.0}, "temperature must be above 0, got 0"),
        ({"temperature": float("inf")}, "temperature must be above 0, got inf"),
        ({"label_weight": 1.0}, "label_weight must be 0 or more and below 1, got 1"),
        ({"label_weight": -0.1}, "got -0.1"),
    ],
)
def test_what_is_out_of_range_is_refused(settings, message):
    with pytest.raises(UserError, match=message):
        DistillationMethod(**settings)
