"""Images in a NumPy .npz file."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from simclr_tf import messages
from simclr_tf.augmentation.value_range import scale_to_unit_range
from simclr_tf.data.image_form import AS_IT_IS, ImageForm
from simclr_tf.data.labels import as_labels
from simclr_tf.data.npz_file import NpzFile
from simclr_tf.data.source import DataError, MissingSplit, Source

# Names that files in the wild use, for images and for labels, by split.
_IMAGES = (
    *("x_{split}", "{split}_images", "{split}_x", "x{split}", "images_{split}"),
    "{split}_data",
)
_LABELS = (
    *("y_{split}", "{split}_labels", "{split}_y", "y{split}", "labels_{split}"),
    *("{split}_targets", "targets_{split}", "{split}_label"),
)
_ONLY_IMAGES = ("images", "x", "data")
_ONLY_LABELS = ("labels", "y", "targets", "label", "target")
# Words in the name of an array that is likely to hold labels.
_LIKE_LABELS = re.compile(
    r"(?<![a-z])(y|ys|labels?|targets?|class|class_?ids?|categor(y|ies))(?![a-z])"
)
_SPLITS = {"train": ("train",), "test": ("test", "val", "valid")}
_ALIGNMENT = 64  # bytes; what TensorFlow wants of memory that it is handed


class NpzSource(Source):
    """Images held in memory.

    Args:
      images: `[N, H, W, C]`, uint8, uint16 or float32.
      labels: int32 `[N]`, or None.
      form: which channels are given, and the values of black and white of integers
        that are given as floating point in [0, 1].
      identity: see `Source.identity`.
      **about: of `Source`.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray | None,
        *,
        form: ImageForm = AS_IT_IS,
        identity: Sequence[str] = (),
        **about,
    ) -> None:
        height, width, channels = form.shape_of(images.shape, about["spec"])[1:]
        super().__init__(
            image_shape=(height, width, channels), num_examples=len(images), **about
        )
        self._value_range = None if images.dtype.kind == "f" else form.value_range
        self._identity = tuple(identity)
        # Eager tensors are captured by reference; arrays would be copied into the
        # graph, which holds no more than 2 GB.
        with tf.device("CPU:0"):
            self._images = _share(images)
            self._labels = None if labels is None else tf.constant(labels, tf.int32)

    def identity(self) -> Iterable[str]:
        """See `Source`: names, sizes and checksums of the arrays."""
        return self._identity

    def labels(self) -> np.ndarray | None:
        """See `Source`."""
        return None if self._labels is None else self._labels.numpy()

    def read(self, indices: tf.data.Dataset) -> tf.data.Dataset:
        """See `Source`."""

        def gather(index: tf.Tensor) -> dict[str, tf.Tensor]:
            images = tf.gather(self._images, index)
            if self._value_range is not None:
                images = scale_to_unit_range(images, self._value_range)
            if images.shape[-1] != self.image_shape[-1]:
                images = tf.image.grayscale_to_rgb(images)
            batch = {"image": images, "index": index}
            if self._labels is not None:
                batch["label"] = tf.gather(self._labels, index)
            return batch

        # To optimise a pipeline, tf.data copies every tensor that it captures.
        options = tf.data.Options()
        options.experimental_optimization.apply_default_optimizations = False
        batches = indices.map(
            gather, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        )
        return batches.with_options(options)


def load_npz(
    path: str,
    split: str,
    image_size: int | None,
    labels: bool,
    form: ImageForm = AS_IT_IS,
) -> NpzSource:
    """The images of one split of a file.

    Args:
      path: the file, with arrays `x_train`, `y_train`, `x_test`, `y_test`, or
        `images` and `labels`: uint8, uint16 or floating point in [0, 1], `[N, H, W, C]`
        or `[N, H, W]`. An array `classes` may name the classes. Floating point becomes
        uint8 unless its range is stated, and grey images RGB unless their channels are.
      split: "train" or "test".
      image_size: not used: images keep their size.
      labels: whether to give labels, where there are any.
      form: channels, and the values of black and white of any dtype of real numbers.

    Raises:
      DataError: where the file or its arrays are not as they should be, or where an
        array seems to hold labels under a name that is not known.
    """
    del image_size
    with NpzFile(path) as file:
        image_name = _find_images(file, split)
        # Names first: to read images for nothing takes minutes.
        label_name = _find_labels(file, image_name, split) if labels else None
        images = _read_images(file, image_name, form)
        identity = [file.identity(image_name)]
        values, names = None, None
        if label_name is not None:
            identity.append(file.identity(label_name))
            where = file.where(label_name)
            values = as_labels(file.array(label_name), len(images), where)
            if values.max() < 0:
                values = None  # Labels of unlabelled images are commonly -1.
        if values is not None:
            names = _read_class_names(file, int(values.max()) + 1)
    num_classes = None if values is None else len(names or range(values.max() + 1))
    return NpzSource(
        images,
        values,
        form=form,
        identity=identity,
        spec=f"npz:{path}",
        split=split,
        num_classes=num_classes,
        class_names=names,
    )


def _find(file: NpzFile, names: Iterable[str], split: str = "") -> str | None:
    wanted = (name.format(split=split) for name in names)
    return next((file.names[name] for name in wanted if name in file.names), None)


def _find_images(file: NpzFile, split: str) -> str:
    name = _find(file, _IMAGES, split)
    if name is not None:
        return name
    name = _find(file, _ONLY_IMAGES)
    if name is None:
        complain = MissingSplit if split != "train" else DataError
        raise complain(
            f"{file.path} holds no {split} images: its arrays are "
            f"{', '.join(file.names.values()) or 'none'}; x_{split} or images was "
            "looked for."
        )
    if split != "train":
        raise MissingSplit(f"{file.path} holds one split, {name!r}, and no {split}.")
    return name


def _find_labels(file: NpzFile, image_name: str, split: str) -> str | None:
    """The array of the images' labels, or None where there is none.

    Raises:
      DataError: where an array seems to hold them and bears another name.
    """
    name = _find(file, _LABELS, split)
    others = [other for names in _SPLITS.values() for other in names if other != split]
    if name is None and not any(_find(file, _IMAGES, other) for other in others):
        name = _find(file, _ONLY_LABELS)
    if name is not None:
        return name
    like = [
        original
        for lower, original in file.names.items()
        if _LIKE_LABELS.search(re.sub(f"{split}|_", " ", lower))
        and original != image_name
        and not any(other in lower for other in others)
    ]
    if like:
        raise DataError(
            f"{file.path}: {image_name} has no labels under a name known here, and "
            f"{', '.join(like)} may hold them. Name the right one "
            f"{'y_' + split if _find(file, _IMAGES, split) else 'labels'}, or give "
            "--nolabels to do without."
        )
    return None


def _read_images(file: NpzFile, name: str, form: ImageForm) -> np.ndarray:
    """`[N, H, W, C]`, the only copy that is ever whole."""
    header, where = file.header(name), file.where(name)
    shape = image_shape(header.shape, where, form)
    images = aligned(shape, held_dtype(header.dtype, where, form))
    given = images.reshape(header.shape)  # where a last axis of 1 may be lacking
    fill(given, file.blocks(name), header.dtype, where, form)
    return images


def fill(
    images: np.ndarray,
    blocks: Iterable[tuple[Any, np.ndarray]],
    stored: np.dtype,
    where: str,
    form: ImageForm,
) -> None:
    """Fills an array with images, in the form in which they are held.

    Args:
      images: `[N, H, W, C]` of `held_dtype`, or without a last axis of 1.
      blocks: parts of the images as they are stored, and their places in `images`.
      stored: dtype that they are stored in.
      where: what they are stored in, for messages.
      form: see `load_npz`.

    Raises:
      DataError: where their values are out of range.
    """
    dtype, is_float = images.dtype, stored.kind == "f"
    low, high = np.inf, -np.inf
    for index, block in blocks:
        if is_float and block.dtype != np.float64:
            block = block.astype(np.float32)
        # NaN stays the least and the greatest once it was found.
        low, high = np.minimum(low, block.min()), np.maximum(high, block.max())
        if dtype == np.float32:
            black, white = form.value_range or (0.0, 1.0)
            block = (block - black) / (white - black)
        elif is_float:
            if not (low >= 0.0 and high <= 1.0):
                continue
            block = np.round(block * 255)
        images[index] = block
    if is_float and form.value_range is None and not (low >= 0.0 and high <= 1.0):
        if not np.isfinite([low, high]).all():
            raise DataError(
                f"{where}: floating-point images must lie in [0, 1], got {low:g} to "
                f"{high:g}: mend them, or leave out images with values that are no "
                "finite numbers."
            )
        raise DataError(
            f"{where}: floating-point images must lie in [0, 1], got {low:g} to "
            f"{high:g}. Divide by 255, store uint8, or state the values of black and "
            "white: --value_range=0,255."
        )
    form.require_values(stored.newbyteorder("="), float(low), float(high), where)


def held_dtype(stored: np.dtype, where: str, form: ImageForm) -> np.dtype:
    """The dtype that images are held in; floating point is in [0, 1] then.

    Raises:
      DataError: where images may not be stored so.
    """
    if form.value_range is None:
        if stored.newbyteorder("=") in (np.uint8, np.uint16):
            return stored.newbyteorder("=")
        if stored.kind == "f":
            return np.dtype(np.uint8)
        raise DataError(
            f"{where}: images must be uint8, uint16, or floating point in [0, 1], got "
            f"{stored}. Of other whole numbers state the values of black and white: "
            "--value_range=0,4095."
        )
    if stored.kind not in "uif":
        raise DataError(f"{where}: images must be real numbers, got {stored}.")
    small = stored.newbyteorder("=") in (np.uint8, np.uint16)
    return stored.newbyteorder("=") if small else np.dtype(np.float32)


def image_shape(
    stored: tuple[int, ...], where: str, form: ImageForm
) -> tuple[int, ...]:
    """The shape `[N, H, W, C]` of images that are stored in a shape.

    Raises:
      DataError: where it is none of images, or not of the channels of `form`.
    """
    shape = stored if len(stored) != 3 else (*stored, 1)
    if len(shape) != 4 or 0 in shape:
        raise DataError(
            f"{where}: images must be [N, H, W, C] or [N, H, W] with N, H, W and C "
            f"above 0, got shape {stored}."
        )
    given = form.shape_of(shape, where)
    if len(stored) == 3:
        seen = (
            "RGB; --channels=1 keeps one channel" if given[-1] == 3 else "[N, H, W, 1]"
        )
        messages.say(
            f"{where}: grey images {list(stored)}, given as {seen}.", sys.stderr
        )
    return shape


def _read_class_names(file: NpzFile, num_classes: int) -> list[str] | None:
    name = file.names.get("classes")
    if name is None:
        return None
    where = file.where(name)
    header = file.header(name)
    if len(header.shape) != 1 or header.shape[0] < num_classes:
        raise DataError(
            f"{where}: must name each class, and the labels have {num_classes:,}; got "
            f"shape {header.shape}."
        )
    values = file.array(name)
    if values.dtype.kind == "S":
        try:
            return [value.decode() for value in values.tolist()]
        except UnicodeDecodeError as error:
            raise DataError(f"{where}: {error.object!r} is not UTF-8.") from error
    return list(map(str, values.tolist()))


def aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An empty array that TensorFlow can take without a copy."""
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    first = -memory.ctypes.data % _ALIGNMENT
    return memory[first : first + size].view(dtype).reshape(shape)


def _share(images: np.ndarray) -> tf.Tensor:
    """A tensor in the memory of an array, where `tf.constant` would copy it."""
    return tf.experimental.dlpack.from_dlpack(images.__dlpack__())
