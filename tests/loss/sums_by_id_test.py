"""Sums over equal ids are those of the matrix of who equals whom."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.loss.sums_by_id import sums_by_id


@pytest.mark.parametrize("block_size", [1, 4, 64])
def test_value_and_gradient_are_the_matrix_product(block_size):
    generator = np.random.default_rng(0)
    ids, column_ids = generator.integers(-1, 3, 7), generator.integers(-1, 3, 11)
    values = tf.constant(generator.normal(size=[11, 3]))
    weights = generator.normal(size=[7, 3])
    matrix = (ids[:, None] == column_ids).astype(float)
    with tf.GradientTape() as tape:
        tape.watch(values)
        got = sums_by_id(
            tf.constant(ids, tf.int32),
            tf.constant(column_ids, tf.int32),
            values,
            block_size,
        )
        loss = tf.reduce_sum(weights * got)
    np.testing.assert_allclose(got, matrix @ values, rtol=1e-12)
    np.testing.assert_allclose(
        tape.gradient(loss, values), matrix.T @ weights, atol=1e-12
    )
