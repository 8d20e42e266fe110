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
    """Stacks `make(0)` to `make(count - 1)`, each of `shape`, made in a loop."""

    def body(
        place: tf.Tensor, made: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.TensorArray]:
        return place + 1, made.write(place, make(place))

    made = tf.TensorArray(dtype, count, element_shape=shape)
    _, made = tf.while_loop(
        lambda place, _: place < count, body, (0, made), maximum_iterations=count
    )
    return made.stack()


def row_at(rows: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
    """A row, the first axis kept. Indexing would copy the whole, padded, in XLA."""
    rest = rows.shape.as_list()[1:]
    return tf.slice(rows, [place] + [0] * len(rest), [1, *rest])


def change_if(
    drawn: tf.Tensor, change: Callable[[tf.Tensor], tf.Tensor], image: tf.Tensor
) -> tf.Tensor:
    """`change(image)` where the scalar `drawn` is true, or else the image itself.

    A loop of one turn or none: XLA would copy what `tf.cond` leaves as it is.
    """
    turns = tf.cast(drawn, tf.int32)
    return tf.while_loop(
        lambda turn, _: turn < turns,
        lambda turn, image: (turn + 1, change(image)),
        (0, image),
    )[1]


def unsplit(
    make: Callable[[], tf.Tensor],
    certain: tf.Tensor,
    shape: Sequence[int | tf.Tensor],
    dtype: tf.DType,
) -> tf.Tensor:
    """`make()`, of a shape and dtype, by one thread.

    XLA splits each operation between all threads, but for those in a branch. In a
    pipeline, whose threads have a batch each, that gains nothing and loses much.

    Args:
      make: what to do in a branch that is always taken.
      certain: a scalar that is true, which XLA cannot know.
      shape: of the result.
      dtype: of the result.
    """
    return tf.cond(certain, make, lambda: tf.zeros(shape, dtype))
