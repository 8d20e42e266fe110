"""Data of fit, evaluate and predict whose images are checked before a step sees them.

The check runs where the data comes from: at once for arrays, in the input pipeline for
datasets and generators. The step itself has nothing to do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from simclr_tf.augmentation.graph_checks import assert_in_range, explain_out_of_range
from simclr_tf.augmentation.value_range import (
    require_image_dtype,
    require_image_values,
)
from simclr_tf.errors import UserError
from simclr_tf.model.batch import inputs_of


def checked(data: Any) -> Any:
    """The same data, which refuses images out of range when they are read.

    Args:
      data: what `fit` takes as `x`, or as `validation_data`: arrays or tensors, a
        `tf.data.Dataset`, a generator, a `tf.keras.utils.Sequence`, a
        `DatasetCreator`. Of a `tf.distribute.DistributedDataset` only the first batch
        is checked, because Keras takes the later ones inside the compiled step; give
        the `tf.data.Dataset` itself, or distribute what `checked` makes of it.

    Returns:
      Data of the same elements in the same order; none of them is lost.

    Raises:
      UserError: where arrays, or a dtype, are not those of images.
    """
    if isinstance(data, tf.data.Dataset):
        return _checked_dataset(data)
    if isinstance(data, tf.distribute.DistributedDataset):
        for element in data:
            images = inputs_of(element)
            for share in getattr(images, "values", [images]):
                require_image_values(share)
            break
        return data
    if isinstance(data, tf.keras.utils.experimental.DatasetCreator):
        return tf.keras.utils.experimental.DatasetCreator(
            lambda context: _checked_dataset(data.dataset_fn(context)),
            input_options=data.input_options,
        )
    if isinstance(data, tf.keras.utils.Sequence):
        return _CheckedSequence(data)
    if hasattr(data, "__next__"):
        return _checked_elements(data)
    _require(data)
    return data


def explain_data(error: tf.errors.OpError) -> None:
    """Raises UserError where images out of range were the cause of an error."""
    explain_out_of_range(error)
    # A generator's exception reaches TensorFlow as text.
    found = re.search(r"UserError: (Images must .*)", error.message)
    if found:
        raise UserError(found[1]) from error


def _require(element: Any) -> None:
    images = inputs_of(element)
    if images is not None:
        require_image_values(images)


def _checked_dataset(dataset: tf.data.Dataset) -> tf.data.Dataset:
    spec = inputs_of(dataset.element_spec)
    if not isinstance(spec, tf.TensorSpec):
        return dataset
    require_image_dtype(spec)
    if spec.dtype == tf.uint8:
        return dataset
    together = not isinstance(dataset.element_spec, tuple)

    def check(*parts: Any) -> Any:
        element = parts[0] if together else parts
        assert_in_range(inputs_of(element))
        return element

    return dataset.map(check)


def _checked_elements(elements: Iterator[Any]) -> Iterator[Any]:
    for element in elements:
        _require(element)
        yield element


class _CheckedSequence(tf.keras.utils.Sequence):
    """A sequence whose batches are checked as they are asked for."""

    def __init__(self, sequence: tf.keras.utils.Sequence) -> None:
        self.sequence = sequence

    def __len__(self) -> int:
        return len(self.sequence)

    def __getitem__(self, index: int) -> Any:
        element = self.sequence[index]
        _require(element)
        return element

    def on_epoch_end(self) -> None:
        self.sequence.on_epoch_end()
