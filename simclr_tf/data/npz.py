"""Images in a NumPy .npz file."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from simclr_tf.data.source import DataError, MissingSplit, Source

# Names that files in the wild use, for images and for labels, by split.
_IMAGES = ("x_{split}", "{split}_images", "{split}_x", "x{split}")
_LABELS = ("y_{split}", "{split}_labels", "{split}_y", "y{split}")
_ONLY_IMAGES = ("images", "x", "data")
_ONLY_LABELS = ("labels", "y", "targets")
_DAMAGE = (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error)


class NpzSource(Source):
    """Images held in memory.

    Args:
      images: uint8 `[N, H, W, 3]`.
      labels: integers `[N]`, or None.
      **about: of `Source`.
    """

    random_access = True

    def __init__(self, images: np.ndarray, labels: np.ndarray | None, **about) -> None:
        super().__init__(image_shape=images.shape[1:], **about)
        # Eager tensors are captured by reference; arrays would be copied into the
        # graph, which holds no more than 2 GB.
        with tf.device("CPU:0"):
            self._images = tf.convert_to_tensor(images)
            self._labels = None if labels is None else tf.constant(labels, tf.int32)

    def labels(self) -> np.ndarray | None:
        """See `Source`."""
        return None if self._labels is None else self._labels.numpy()

    def read(self, indices: tf.data.Dataset) -> tf.data.Dataset:
        """See `Source`."""

        def gather(index: tf.Tensor) -> dict[str, tf.Tensor]:
            batch = {"image": tf.gather(self._images, index), "index": index}
            if self._labels is not None:
                batch["label"] = tf.gather(self._labels, index)
            return batch

        return indices.map(gather)


def load_npz(path: str, split: str, image_size: int | None, labels: bool) -> Source:
    """The images of one split of a file.

    Args:
      path: the file, with arrays `x_train`, `y_train`, `x_test`, `y_test`, or
        `images` and `labels`: uint8, or floating point in [0, 1], `[N, H, W, 3]`,
        `[N, H, W, 1]` or `[N, H, W]`. An array `classes` may name the classes.
      split: "train" or "test".
      image_size: not used: images keep their size.
      labels: whether to give labels, where there are any.

    Raises:
      DataError: where the file or its arrays are not as they should be.
    """
    del image_size
    arrays = _open(path)
    image_name = _pick(arrays, _IMAGES, split)
    label_name = _pick(arrays, _LABELS, split)
    if image_name is None:
        image_name = _pick(arrays, _ONLY_IMAGES, split)
        label_name = _pick(arrays, _ONLY_LABELS, split)
        if image_name is not None and split != "train":
            raise MissingSplit(
                f"{path} holds one split, {image_name!r}, and no {split}."
            )
    if image_name is None:
        complain = MissingSplit if split != "train" else DataError
        raise complain(
            f"{path} holds no {split} images: its arrays are "
            f"{', '.join(arrays) or 'none'}; x_{split} or images was looked for."
        )
    where = f"{path}, array {image_name}"
    images = _as_rgb(_array(arrays, image_name, where), where)
    values = None
    if labels and label_name is not None:
        where = f"{path}, array {label_name}"
        values = _as_labels(_array(arrays, label_name, where), len(images), where)
        if values.max() < 0:
            values = None  # Labels of unlabelled images are commonly -1.
    names = None
    if values is not None and "classes" in arrays:
        names = list(map(str, _array(arrays, "classes", f"{path}, array classes")))
    num_classes = None if values is None else int(values.max()) + 1
    if names is not None:
        num_classes = max(num_classes, len(names))
    return NpzSource(
        images,
        values,
        spec=f"npz:{path}",
        split=split,
        num_examples=len(images),
        num_classes=num_classes,
        class_names=names,
    )


def _open(path: str):  # noqa: ANN202
    if not tf.io.gfile.exists(path):
        raise DataError(f"{path} does not exist.")
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            arrays = np.load(io.BytesIO(file.read()), allow_pickle=False)
    except (*_DAMAGE, tf.errors.OpError) as error:
        raise DataError(f"{path} is not a readable .npz file: {error}") from error
    if isinstance(arrays, np.ndarray):
        raise DataError(
            f"{path} is a single array, not an .npz file: store it by "
            "np.savez(path, images=array)."
        )
    return arrays


def _array(arrays: Mapping[str, np.ndarray], name: str, where: str) -> np.ndarray:
    try:
        return arrays[name]
    except _DAMAGE as error:
        raise DataError(f"{where}: cannot be read: {error}") from error


def _pick(
    arrays: Mapping[str, np.ndarray], names: tuple[str, ...], split: str
) -> str | None:
    wanted = [name.format(split=split) for name in names]
    return next((name for name in wanted if name in arrays), None)


def _as_rgb(images: np.ndarray, where: str) -> np.ndarray:
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or not len(images):
        raise DataError(
            f"{where}: images must be [N, H, W, 3], [N, H, W, 1] or [N, H, W] with "
            f"N > 0, got shape {images.shape}."
        )
    if np.issubdtype(images.dtype, np.floating):
        low, high = float(images.min()), float(images.max())
        if not (low >= 0.0 and high <= 1.0):
            raise DataError(
                f"{where}: floating-point images must lie in [0, 1], got {low:g} to "
                f"{high:g}. Divide by 255, or store uint8."
            )
        images = np.round(images * 255.0).astype(np.uint8)
    if images.dtype != np.uint8:
        raise DataError(
            f"{where}: images must be uint8, or floating point in [0, 1], got "
            f"{images.dtype}."
        )
    return np.repeat(images, 3, axis=-1) if images.shape[-1] == 1 else images


def _as_labels(labels: np.ndarray, count: int, where: str) -> np.ndarray:
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (count,) or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"{where}: labels must be integers of shape ({count},), got "
            f"{labels.dtype} of shape {labels.shape}."
        )
    return labels.astype(np.int32)
