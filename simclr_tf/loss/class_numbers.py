"""Labels as class numbers, refused where a cast would make other labels of them."""

from __future__ import annotations

import re
from typing import Any

import tensorflow as tf

from simclr_tf.errors import UserError

_END = 2**31  # Class numbers are int32.
_BEGINNING = "Labels must be whole numbers from 0 to"
_REMEDY = (
    "Number the classes from 0: numpy.unique(labels, return_inverse=True)[1] does."
)


def class_numbers(labels: Any) -> tf.Tensor:
    """Labels as int32, of the same shape.

    Args:
      labels: whole numbers of any dtype, -1 where there is none.

    Raises:
      UserError: where labels that are known are others; a graph raises an
        InvalidArgumentError when it runs, except for int32.
    """
    labels = tf.convert_to_tensor(labels)
    if isinstance(labels, tf.__internal__.EagerTensor):
        require_labels(labels)
    elif labels.dtype != tf.int32:
        with tf.control_dependencies([assert_labels(labels)]):
            labels = tf.identity(labels)
    return tf.cast(labels, tf.int32)


def require_labels(labels: Any, num_classes: int | None = None) -> None:
    """Raises UserError unless all labels are class numbers, or -1.

    Args:
      labels: an array or an eager tensor, of any shape.
      num_classes: how many classes there are, where known.
    """
    labels = tf.convert_to_tensor(labels)
    whole, lowest, highest = (each.numpy() for each in _summary(labels))
    if not _are_right(whole, lowest, highest, num_classes):
        raise UserError(_wrong(_wanted(num_classes), lowest, highest, bool(whole)))


def assert_labels(labels: tf.Tensor, num_classes: int | None = None) -> tf.Operation:
    """`require_labels` of a symbolic tensor, as an operation of its graph."""
    whole, lowest, highest = _summary(labels)
    return tf.debugging.Assert(
        _are_right(whole, lowest, highest, num_classes),
        [
            f"{_wanted(num_classes)} {_REMEDY} Lowest, highest, all whole:",
            *(lowest, highest, whole),
        ],
    )


def explain_labels(error: tf.errors.OpError) -> None:
    """Raises UserError where an assertion of this module is the cause of an error."""
    found = re.search(
        rf"\[({_BEGINNING} [^\]]*?) {re.escape(_REMEDY)} [^\]]*\] "
        r"\[([^\]]*)\] \[([^\]]*)\] \[([^\]]*)\]",
        error.message,
    )
    if found:
        whole = found[4] in ("1", "True", "true")
        raise UserError(
            _wrong(found[1], float(found[2]), float(found[3]), whole)
        ) from error


def _summary(labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Whether all are whole, the lowest and the highest; of none, 0."""
    dtype = labels.dtype
    if not (dtype.is_floating or dtype.is_integer or dtype.is_bool):
        raise UserError(f"{_wanted(None)} Got {dtype.name}. {_REMEDY}")
    values = tf.cast(labels, tf.float64)
    some = tf.size(values) > 0
    return (
        tf.reduce_all(values == tf.round(values)),
        tf.where(some, tf.reduce_min(values), 0.0),
        tf.where(some, tf.reduce_max(values), 0.0),
    )


def _are_right(whole: Any, lowest: Any, highest: Any, num_classes: int | None) -> Any:
    return whole & (lowest >= -1) & (highest < (num_classes or _END))


def _wanted(num_classes: int | None) -> str:
    end = num_classes or _END
    given = "" if num_classes is None else f": num_classes is {num_classes:,}"
    return f"{_BEGINNING} {end - 1:,}, or -1 where there is none{given}."


def _wrong(wanted: str, lowest: float, highest: float, whole: bool) -> str:
    form = ",.0f" if whole else ""
    fractions = "" if whole else ", not all of them whole"
    return f"{wanted} Got {lowest:{form}} to {highest:{form}}{fractions}. {_REMEDY}"
