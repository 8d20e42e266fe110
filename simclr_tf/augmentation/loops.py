"""Loops and branches in the forms that XLA makes fast on a CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf


def one_by_one(
    make: Callable[[tf.Tensor], tf.Tensor],
    count: int | tf.Tensor,
    shape: Sequence[int],
    dtype: tf.DType,
) -> tf.Tensor:
    """Stacks `make(0)` to `make(count - 1)`, each of `shape`, computed in a loop."""

    def body(
        index: tf.Tensor, array: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.TensorArray]:
        return index + 1, array.write(index, make(index))

    array = tf.TensorArray(dtype, count, element_shape=shape)
    _, array = tf.while_loop(
        lambda index, _: index < count, body, (0, array), maximum_iterations=count
    )
    return array.stack()


def row_at(rows: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """`rows[index : index + 1]`.

    XLA turns indexing into a padded copy of the whole tensor, and this not.
    """
    rest = rows.shape.as_list()[1:]
    return tf.slice(rows, [index] + [0] * len(rest), [1, *rest])


def change_if(
    drawn: tf.Tensor, change: Callable[[tf.Tensor], tf.Tensor], image: tf.Tensor
) -> tf.Tensor:
    """`change(image)` if the scalar `drawn` is true, or else the image itself.

    It is a loop of one iteration or none, because XLA copies what a branch of
    `tf.cond` returns unchanged.
    """
    iterations = tf.cast(drawn, tf.int32)
    return tf.while_loop(
        lambda done, _: done < iterations,
        lambda done, image: (done + 1, change(image)),
        (0, image),
    )[1]


def single_threaded(
    make: Callable[[], tf.Tensor],
    opaque_true: tf.Tensor,
    shape: Sequence[int | tf.Tensor],
    dtype: tf.DType,
) -> tf.Tensor:
    """`make()`, computed by one thread.

    XLA divides each operation among all threads, unless it is inside a branch. In an
    input pipeline each thread has a batch of its own already, and dividing it further
    costs more than it gains.

    Args:
      make: computes the result, inside a branch that is always taken.
      opaque_true: a scalar that is true, which XLA cannot know when it compiles.
      shape: of the result.
      dtype: of the result.
    """
    return tf.cond(opaque_true, make, lambda: tf.zeros(shape, dtype))
