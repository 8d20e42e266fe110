"""Images that a program hands over itself, where others are named by a spec."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from simclr_tf.data.image_form import AS_IT_IS, ImageForm
from simclr_tf.data.labels import as_labels
from simclr_tf.data.npz import NpzSource, aligned, fill, held_dtype, image_shape
from simclr_tf.data.source import DataError, Source, reason

# A run's flags hold "given:" and what the source is called.
_PREFIX = "given:"
_NAME = "tf.data.Dataset"
_WANTED = (
    "its elements must be images, (images, labels) or a dict with 'image' and, if you "
    "like, 'label', one by one or in batches"
)


def given_spec(source: Source) -> str:
    """What a run's settings call images that were handed over."""
    return _PREFIX + source.spec


def spec_of_given(spec: str) -> str:
    """What images are called by themselves, handed over or not."""
    return spec[len(_PREFIX) :] if is_given(spec) else spec


def is_given(spec: str) -> bool:
    """Whether a spec stands for images that were handed over."""
    return spec.startswith(_PREFIX)


def from_dataset(
    dataset: tf.data.Dataset,
    *,
    labels: bool = True,
    form: ImageForm = AS_IT_IS,
    most_bytes: int | None = None,
) -> NpzSource:
    """A source of the images that a `tf.data.Dataset` gives, held in memory.

    A `tf.data.Dataset` has no random access, which an order by (seed, epoch) needs. It
    is therefore read once, to its end, and its images are kept, in the order in which
    they came.

    Examples:
      >>> images = np.zeros([40, 16, 16, 3], np.uint8)
      >>> dataset = tf.data.Dataset.from_tensor_slices(images).batch(8)
      >>> simclr_tf.data.from_dataset(dataset)
      tf.data.Dataset (train): 40 images, 16x16

    Args:
      dataset: finite; each element is an image `[H, W, C]` or a batch `[B, H, W, C]`;
        or a pair of these and integer labels, a scalar or `[B]`, -1 for none; or a dict
        with `"image"` and, if there are labels, `"label"`. All images have one size.
        uint8, uint16 or floating point in [0, 1], which becomes uint8 unless `form`
        has a value range. A `class_names` attribute, as those of
        `image_dataset_from_directory` have, names the classes.
      labels: whether to keep labels, where there are any.
      form: channels, and the values of black and white of any dtype of real numbers.
        Grey images become RGB unless its channels are 1.
      most_bytes: memory that the images may take as they are given; half of the
        machine's by default.

    Returns:
      A source that `pretrain(source=…)` takes. Its fingerprint is of all pixels and
      labels in their order.

    Raises:
      DataError: where the dataset never ends, is empty, does not fit, or its elements
        are no images of one size.
    """
    if int(dataset.cardinality()) == tf.data.INFINITE_CARDINALITY:
        raise DataError(
            "The tf.data.Dataset never ends: leave out its repeat(), or end it with "
            "take(count)."
        )
    most = _half_of_memory() if most_bytes is None else most_bytes
    blocks: list[np.ndarray] = []
    found: list[np.ndarray] = []
    size = 0
    for image, label in _elements(dataset, labels):
        if len(image):
            size += image.nbytes
            blocks.append(image)
            found.append(label)
        if size > most:
            raise DataError(
                f"The images of the tf.data.Dataset take more than {most / 2**30:.1f} "
                "GiB: they are kept in memory. Write them to files and name those with "
                "dataset=, or hand over a simclr_tf.data.Source that reads them."
            )
    if not blocks:
        raise DataError("The tf.data.Dataset gives no image.")
    sizes = sorted({block.shape[1:] for block in blocks})
    if len(sizes) > 1:
        raise DataError(
            "The tf.data.Dataset gives images of several sizes, such as "
            f"{sizes[0]} and {sizes[-1]}: bring them to one in its map, or name the "
            "files with dataset='folder:…', which crops each at its own size."
        )
    images = _held(blocks, form)
    values = _labels(found, len(images))
    names = getattr(dataset, "class_names", None)
    if names is not None and (values is None or len(names) <= values.max()):
        names = None
    return NpzSource(
        images,
        values,
        form=form,
        identity=_digests(images, values),
        spec=_NAME,
        split="train",
        num_classes=None if values is None else len(names or range(values.max() + 1)),
        class_names=names,
    )


def _elements(
    dataset: tf.data.Dataset, labels: bool
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Batches of images and of their labels, None without."""
    image, label = _parts(dataset.element_spec)
    for each in (image, label):
        if each is not None and not isinstance(each, tf.TensorSpec):
            raise DataError(f"The tf.data.Dataset gives {each}: {_WANTED}.")
    if image.shape.rank not in (None, 3, 4):
        raise DataError(
            f"The tf.data.Dataset gives images of shape {image.shape}: {_WANTED}, of "
            "shape [H, W, C] or [B, H, W, C]."
        )
    elements = iter(dataset)
    while True:
        try:
            element = next(elements)
        except StopIteration:
            return
        except tf.errors.OpError as error:
            raise DataError(
                f"The tf.data.Dataset cannot be read: {reason(error)}"
            ) from error
        image, label = (_array(part) for part in _parts(element))
        if image.ndim == 3:
            image = image[None]
            label = None if label is None else label[None]
        yield image, label if labels else None


def _parts(element: Any) -> tuple[Any, Any]:
    """Image and label of an element, or of its spec; None where there is no label."""
    if isinstance(element, dict) and "image" in element:
        return element["image"], element.get("label")
    if isinstance(element, (tuple, list)) and len(element) in (1, 2):
        return element[0], element[1] if len(element) == 2 else None
    if isinstance(element, (dict, tuple, list)):
        held = sorted(element) if isinstance(element, dict) else f"{len(element)} parts"
        raise DataError(f"The tf.data.Dataset gives elements of {held}: {_WANTED}.")
    return element, None


def _array(part: tf.Tensor | None) -> Any:
    if part is None:
        return None
    # NumPy's own floating point has no bfloat16.
    small = part.dtype.is_floating and part.dtype.size < 4
    return (tf.cast(part, tf.float32) if small else part).numpy()


def _held(blocks: list[np.ndarray], form: ImageForm) -> np.ndarray:
    """`[N, H, W, C]` of all; empties `blocks`, so that they are held once."""
    count, stored = sum(map(len, blocks)), blocks[0].dtype
    shape = image_shape((count, *blocks[0].shape[1:]), _NAME, form)
    images = aligned(shape, held_dtype(stored, _NAME, form))

    def in_turn() -> Iterator[tuple[slice, np.ndarray]]:
        start = 0
        for place, block in enumerate(blocks):
            yield slice(start, start + len(block)), block
            start += len(block)
            blocks[place] = block[:0].copy()  # A view would keep all of it.

    fill(images, in_turn(), stored, _NAME, form)
    return images


def _labels(found: list[np.ndarray], count: int) -> np.ndarray | None:
    if any(label is None for label in found):
        return None
    try:
        together = np.concatenate(found)
    except ValueError:  # of scalars in batches, or of several ranks
        shapes = sorted({label.shape for label in found})
        raise DataError(
            f"The tf.data.Dataset gives labels of shapes {shapes}: one integer an "
            "image is wanted."
        ) from None
    values = as_labels(together, count, _NAME)
    return values if values.max() >= 0 else None


def _digests(images: np.ndarray, labels: np.ndarray | None) -> list[str]:
    """See `Source.identity`: they are in memory, and all of them can be read."""
    lines = [f"{images.shape} {images.dtype} {hashlib.sha256(images).hexdigest()}"]
    return lines if labels is None else [*lines, hashlib.sha256(labels).hexdigest()]


def _half_of_memory() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, OSError, ValueError):  # Windows has none.
        return 8 * 2**30
