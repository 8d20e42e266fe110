"""Data of fit, evaluate and predict, checked before a step sees them.

The check runs where the data comes from: at once for arrays, in the input pipeline for
datasets and generators. The step itself has nothing to do.
"""

from __future__ import annotations

import dataclasses
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
from simclr_tf.loss.class_numbers import (
    assert_labels,
    explain_labels,
    require_labels,
)
from simclr_tf.model.batch import inputs_of, labels_of, require_label_shape


def checked(data: Any, *, labels: bool = True, num_classes: int | None = None) -> Any:
    """The same data, which refuses wrong images and labels when they are read.

    Args:
      data: what `fit` takes as `x`, or as `validation_data`: arrays or tensors, a
        `tf.data.Dataset`, a generator, a `tf.keras.utils.Sequence`, a
        `DatasetCreator`. Of a `tf.distribute.DistributedDataset` only the first batch
        is checked, because Keras takes the later ones inside the compiled step; give
        the `tf.data.Dataset` itself, or distribute what `checked` makes of it.
      labels: whether labels are used, and so are checked.
      num_classes: of the labels, where known.

    Returns:
      Data of the same elements in the same order; none of them is lost.

    Raises:
      UserError: where arrays, or a dtype, are not those of images or labels.
    """
    checks = _Checks(labels, num_classes)
    if isinstance(data, tf.data.Dataset):
        return checks.in_dataset(data)
    if isinstance(data, tf.distribute.DistributedDataset):
        for element in data:
            checks.require(element)
            break
        return data
    if isinstance(data, tf.keras.utils.experimental.DatasetCreator):
        return tf.keras.utils.experimental.DatasetCreator(
            lambda context: checks.in_dataset(data.dataset_fn(context)),
            input_options=data.input_options,
        )
    if isinstance(data, tf.keras.utils.Sequence):
        return _CheckedSequence(data, checks)
    if hasattr(data, "__next__"):
        return _checked_elements(data, checks)
    checks.require(data)
    return data


def explain_data(error: tf.errors.OpError) -> None:
    """Raises UserError where images or labels were the cause of an error."""
    explain_out_of_range(error)
    explain_labels(error)
    # A generator's exception reaches TensorFlow as text.
    found = re.search(r"UserError: ((?:Images|Labels) must .*)", error.message)
    if found:
        raise UserError(found[1]) from error


@dataclasses.dataclass(frozen=True)
class _Checks:
    """What is checked of each element, see `checked`."""

    labels: bool
    num_classes: int | None

    def require(self, element: Any) -> None:
        """Raises UserError unless an element's images and labels are right."""
        for images in _shares(inputs_of(element)):
            require_image_values(images)
        for labels in _shares(labels_of(element)) if self.labels else ():
            if hasattr(labels, "shape"):
                require_label_shape(labels)
            require_labels(labels, self.num_classes)

    def in_dataset(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """The dataset with the checks of its elements."""
        images, labels = map(_dense, self._parts(dataset.element_spec))
        if images is not None:
            require_image_dtype(images)
        if labels is not None:
            require_label_shape(labels)
        if (images is None or images.dtype == tf.uint8) and labels is None:
            return dataset
        together = not isinstance(dataset.element_spec, tuple)

        def check(*parts: Any) -> Any:
            element = parts[0] if together else parts
            found, numbers = self._parts(element)
            if images is not None and images.dtype != tf.uint8:
                assert_in_range(found)
            if labels is not None:
                assert_labels(numbers, self.num_classes)
            return element

        return dataset.map(check)

    def _parts(self, element: Any) -> tuple[Any, Any]:
        return inputs_of(element), labels_of(element) if self.labels else None


def _shares(values: Any) -> tuple:
    """What each replica has, or the values themselves; nothing where there are none."""
    if values is None:
        return ()
    several = isinstance(values, tf.distribute.DistributedValues)
    return values.values if several else (values,)


def _dense(spec: Any) -> tf.TensorSpec | None:
    return spec if isinstance(spec, tf.TensorSpec) else None


def _checked_elements(elements: Iterator[Any], checks: _Checks) -> Iterator[Any]:
    for element in elements:
        checks.require(element)
        yield element


class _CheckedSequence(tf.keras.utils.Sequence):
    """A sequence whose batches are checked as they are asked for."""

    def __init__(self, sequence: tf.keras.utils.Sequence, checks: _Checks) -> None:
        self.sequence = sequence
        self.checks = checks

    def __len__(self) -> int:
        return len(self.sequence)

    def __getitem__(self, index: int) -> Any:
        element = self.sequence[index]
        self.checks.require(element)
        return element

    def on_epoch_end(self) -> None:
        self.sequence.on_epoch_end()
