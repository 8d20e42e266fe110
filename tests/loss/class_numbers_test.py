"""Labels that a cast would make others of are refused, at once or by a graph."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.loss import supcon
from simclr_tf.loss.class_numbers import (
    assert_labels,
    class_numbers,
    explain_labels,
    require_labels,
)

_WRONG = [
    (np.array([2**32 + 1]), "Got 4,294,967,297 to 4,294,967,297. Number the classes"),
    (np.array([2**31], np.uint32), "Got 2,147,483,648"),
    (np.array([3, -2, 0], np.int8), "from 0 to 2,147,483,647, or -1 .*Got -2 to 3"),
    (np.array([0.5, 1.0], np.float32), "Got 0.5 to 1.0, not all of them whole"),
    (np.array([0.0, np.nan]), "not all of them whole"),
    (np.array([np.inf]), "Got inf to inf"),
]


@pytest.mark.parametrize(
    "labels",
    [
        np.array([0, -1, 2**31 - 1]),
        np.array([7, 255], np.uint8),
        np.array([[1.0], [-1.0]], np.float32),
        np.array([], np.int64),
        [True, False],
    ],
)
def test_whole_numbers_are_taken(labels):
    for numbers in (class_numbers(labels), tf.function(class_numbers)(labels)):
        assert numbers.dtype == tf.int32
        np.testing.assert_array_equal(numbers, labels)


@pytest.mark.parametrize(("labels", "message"), _WRONG)
def test_others_are_refused(labels, message):
    with pytest.raises(UserError, match=message):
        class_numbers(labels)
    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        tf.function(class_numbers)(labels)
    with pytest.raises(UserError, match=message):
        explain_labels(raised.value)


def test_labels_are_below_the_number_of_classes():
    require_labels([9, -1], 10)
    with pytest.raises(UserError, match=r"num_classes is 10\. Got -1 to 10") as eager:
        require_labels([10, -1], 10)
    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        tf.function(lambda labels: [assert_labels(labels, 10), labels][1])(
            tf.constant([10, -1])
        )
    with pytest.raises(UserError) as explained:
        explain_labels(raised.value)
    assert str(explained.value) == str(eager.value)


def test_words_are_no_labels():
    for call in (class_numbers, tf.function(class_numbers)):
        with pytest.raises(UserError, match=r"Got string\. Number the classes"):
            call(tf.constant(["cat"]))


def test_supcon_refuses_them_too():
    z = tf.random.stateless_normal([2, 4], [1, 2])
    with pytest.raises(UserError, match="Labels must be"):
        supcon(z, z, tf.constant([0.5, 1.0]))


def test_other_errors_are_left_alone():
    explain_labels(tf.errors.InvalidArgumentError(None, None, "shapes differ"))
