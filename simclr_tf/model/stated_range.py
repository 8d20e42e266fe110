"""Data whose images have a range of their own, brought to [0, 1] before a step.

The range is the values of black and white, such as (0, 4095) of 12 bits. This runs
where the data comes from, as the checks of `checked_data` do, which are of its result.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from simclr_tf.augmentation.value_range import (
    require_within,
    scale_to_unit_range,
    value_range,
)
from simclr_tf.errors import UserError
from simclr_tf.model.batch import inputs_of, with_inputs

_Range = tuple[float, float]
_OUT_OF_RANGE = "simclr_tf: images out of the range that was stated"


def to_unit_range_of(data: Any, stated: _Range | None) -> Any:
    """The same data with images, or views, as floating point in [0, 1].

    Args:
      data: see `checked`; no `tf.distribute.DistributedDataset`.
      stated: the values of black and white; None leaves the data as it is.

    Raises:
      UserError: where images are no numbers or, of arrays, out of the range.
    """
    if stated is None or data is None:
        return data
    if isinstance(data, tf.data.Dataset):
        return _of_dataset(data, stated)
    if isinstance(data, tf.distribute.DistributedDataset):
        raise UserError(
            "value_range is not for a dataset that was distributed: give fit the "
            "tf.data.Dataset itself, or divide its images beforehand."
        )
    if isinstance(data, tf.keras.utils.experimental.DatasetCreator):
        return tf.keras.utils.experimental.DatasetCreator(
            lambda context: _of_dataset(data.dataset_fn(context), stated),
            input_options=data.input_options,
        )
    if isinstance(data, tf.keras.utils.Sequence):
        return _OfSequence(data, stated)
    if hasattr(data, "__next__"):
        return _of_elements(data, stated)
    return _of_element(data, stated)


def explain_stated_range(error: tf.errors.OpError, stated: _Range | None) -> None:
    """Raises UserError where values out of the range were the cause of an error."""
    found = re.search(rf"{_OUT_OF_RANGE}\] \[([^\]]*)\] \[([^\]]*)\]", error.message)
    if found and stated is not None:
        try:
            require_within(stated, float(found[1]), float(found[2]))
        except UserError as mistake:
            raise mistake from error
    # A generator's exception reaches TensorFlow as text.
    found = re.search(r"UserError: (Images (?:were said|have NaN) .*)", error.message)
    if found:
        raise UserError(found[1]) from error


def _of_element(element: Any, stated: _Range) -> Any:
    """Of arrays or tensors, whose values are known."""
    images = inputs_of(element)
    if images is None:
        return element
    _require_numbers(images.dtype)
    lowest, highest = map(float, value_range(images))
    require_within(stated, lowest, highest)
    return with_inputs(element, scale_to_unit_range(images, stated))


def _of_dataset(dataset: tf.data.Dataset, stated: _Range) -> tf.data.Dataset:
    spec = inputs_of(dataset.element_spec)
    if not isinstance(spec, tf.TensorSpec):
        return dataset
    _require_numbers(spec.dtype)
    together = not isinstance(dataset.element_spec, tuple)

    def scale(*parts: Any) -> Any:
        element = parts[0] if together else parts
        images = inputs_of(element)
        lowest, highest = value_range(images)
        inside = (lowest >= stated[0]) & (highest <= stated[1])
        tf.debugging.Assert(inside, [_OUT_OF_RANGE, lowest, highest])
        return with_inputs(element, scale_to_unit_range(images, stated))

    return dataset.map(scale)


def _of_elements(elements: Iterator[Any], stated: _Range) -> Iterator[Any]:
    for element in elements:
        yield _of_element(element, stated)


class _OfSequence(tf.keras.utils.Sequence):
    """A sequence whose batches are scaled as they are asked for."""

    def __init__(self, sequence: tf.keras.utils.Sequence, stated: _Range) -> None:
        self.sequence = sequence
        self.stated = stated

    def __len__(self) -> int:
        return len(self.sequence)

    def __getitem__(self, index: int) -> Any:
        return _of_element(self.sequence[index], self.stated)

    def on_epoch_end(self) -> None:
        self.sequence.on_epoch_end()


def _require_numbers(dtype: Any) -> None:
    dtype = tf.as_dtype(dtype)
    if not (dtype.is_floating or dtype.is_integer):
        raise UserError(
            "Images must be numbers for value_range to say their range, got "
            f"{dtype.name}."
        )
