"""What every classifier refuses, and what it leaves out."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.evaluation.labelled_features import labelled_features

H = np.arange(12.0).reshape(6, 2)
Y = np.array([0, 1, 2, 0, 1, 2])


def test_unlabelled_examples_are_left_out_and_counted():
    train_y, test_y = np.array([7, -1, 3, 7, -1, 3]), np.array([3, -1, 7, 7, 3, 3])
    data = labelled_features(H, train_y, H, test_y)
    assert data.num_unlabelled == 3
    np.testing.assert_array_equal(data.train_h, H[[0, 2, 3, 5]])
    np.testing.assert_array_equal(data.classes, [3, 7])
    np.testing.assert_array_equal(data.train_y, [1, 0, 1, 0])
    np.testing.assert_array_equal(data.test_y, [0, 1, 1, 0, 0])


def test_an_unlabelled_example_may_hold_anything():
    broken = H.copy()
    broken[1] = np.nan
    labelled_features(broken, np.where(np.arange(6) == 1, -1, Y), H, Y)


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [
        (tf.bfloat16, np.float32),
        (tf.float16, np.float32),
        (tf.float32, np.float32),
        (tf.float64, np.float64),
        (tf.uint8, np.float32),
    ],
)
def test_takes_tensors_of_any_real_dtype(dtype, kept):
    h = tf.cast(H, dtype)
    data = labelled_features(h, tf.constant(Y), h, tf.constant(Y, tf.uint8))
    assert data.train_h.dtype == kept
    np.testing.assert_array_equal(data.train_h, H)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"train_h": H[0]}, r"train_h must be \[N, D\].*\(2,\)"),
        ({"train_y": Y[:4]}, r"train_y must be \[N\].*\(4,\).*\(6, 2\)"),
        ({"test_y": np.eye(3)[Y]}, r"test_y must be \[N\].*\(6, 3\)"),
        ({"test_h": H[:, :1]}, "same width D, got 2 and 1"),
        ({"train_y": Y.astype(float)}, "train_y must hold integers.*float64"),
        ({"train_y": Y - 3}, "train_y must hold labels from 0.*-3, -2"),
        ({"train_y": np.full(6, -1)}, "train_y must label at least one example"),
        ({"test_y": np.full(6, -1)}, "test_y must label at least one example"),
        ({"train_h": H[:0], "train_y": Y[:0]}, "train_y must label at least one"),
        ({"train_y": np.full(6, 4)}, r"at least two classes.*\[4\]"),
        ({"test_y": Y + 2}, r"2 label\(s\) that train_y lacks: 3, 4"),
        (
            {"test_h": np.where(H > 7, np.inf, H)},
            r"test_h must be finite, got 4 .* in 2 of 6",
        ),
        ({"train_h": np.where(H == 3, np.nan, H)}, "train_h must be finite, got 1 "),
    ],
)
def test_refuses_what_does_not_fit(changed, message):
    arguments = {"train_h": H, "train_y": Y, "test_h": H, "test_y": Y, **changed}
    with pytest.raises(ValueError, match=message):
        labelled_features(**arguments)
