"""What a source of images says of itself and how it is read."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from simclr_tf.errors import UserError


class DataError(UserError):
    """A mistake in the data or in how it is named; the message says what to do."""


class MissingSplit(DataError):
    """The dataset is there, and has no such split."""


def reason(error: Exception) -> str:
    """What went wrong, without TensorFlow's notes on where in which graph."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror  # The rest repeats the file's name.
    message = str(getattr(error, "message", error)).partition("\n\t [[")[0]
    message = message.partition(" [Op:")[0].strip().split("\n")[-1]
    message = re.sub(r"^(\{\{.*?\}\} *)+", "", message)
    message = message.removeprefix("ValueError: ")
    eager, in_graph = "Expected .* Summarized data: b'", r"assertion failed: \["
    asserted = re.fullmatch(rf"(?:{eager}|{in_graph})(.*)['\]]", message)
    return asserted[1] if asserted else message


# What is asked for: `"index"`, int64, the place of an image in the dataset, and what
# else the making of its example needs.
Asked = dict[str, tf.Tensor]
# From an encoded image, a scalar string, and what was asked for to what is made of it.
Make = Callable[[tf.Tensor, Asked], dict[str, tf.Tensor]]


def read_in_batches(
    asked: tf.data.Dataset, read: Callable[[tf.data.Dataset], tf.data.Dataset]
) -> tf.data.Dataset:
    """`Source.read_files` of a source that reads its images one by one.

    Args:
      asked: batches of what is asked for.
      read: given what is asked for one by one, the examples, in the same order.

    Returns:
      Batches of examples, one for each batch that is asked for.
    """
    size = asked.element_spec["index"].shape[0]
    if size is not None:
        return read(asked.unbatch()).batch(size, drop_remainder=True)

    def read_batch(batch: Asked) -> tf.data.Dataset:
        examples = read(tf.data.Dataset.from_tensor_slices(batch))
        return examples.batch(tf.size(batch["index"], out_type=tf.int64))

    return asked.flat_map(read_batch)


def by_index(indices: tf.data.Dataset) -> tf.data.Dataset:
    """Places alone as what is asked for."""
    return indices.map(lambda index: {"index": index})


class Source:
    """Images of one split of one dataset.

    A batch is a dict of `"image"`, `[B, H, W, C]`, uint8, uint16 or floating point in
    [0, 1]; `"index"`, int64 `[B]`,
    each image's place in the dataset; `"label"`, int32 `[B]`, where the source has
    labels; and `"size"`, int32 `[B, 2]`, heights and widths of the originals,
    where images of many sizes were put on canvases, see `image_files.to_canvas`.

    Subclasses override `read`. One whose images are encoded, and of many sizes, also
    overrides `read_files` and sets `holds_files`: crops are then cut from each file's
    own pixels.

    Examples:
      >>> source = simclr_tf.data.load("shapes:40", image_size=16)
      >>> len(source), source.image_shape, source.num_classes
      (40, (16, 16, 3), 10)
      >>> batch = next(iter(source.read(tf.data.Dataset.range(40).batch(8))))
      >>> batch["image"].shape, batch["label"].shape
      (TensorShape([8, 16, 16, 3]), TensorShape([8]))

    Attributes:
      class_note: which classes there are and where they come from, in words; "" where
        that needs no saying.
      verdicts: `Verdicts` on its files, where each image has its own; else None.

    Args:
      spec: what the user named it by, for messages.
      split: "train", "test" or another split's name.
      image_shape: `(H, W, C)` of the images it gives.
      num_examples: how many images.
      num_classes: how many classes its labels have, or None without labels.
      class_names: the classes' names in the labels' order, where known.
      skipped: files that were passed over, and why.
      paths: the images' files, in the dataset's order, where each has its own; of a
        page of a file, with its number in brackets.
      value_range: the values of black and white in image files of more than 8 bits,
        see `image_files.decode`; None where they were not said.
    """

    holds_files: bool = False

    def __init__(
        self,
        *,
        spec: str,
        split: str,
        image_shape: tuple[int, int, int],
        num_examples: int,
        num_classes: int | None = None,
        class_names: Sequence[str] | None = None,
        skipped: Mapping[str, str] | None = None,
        paths: Sequence[str] | None = None,
        value_range: tuple[float, float] | None = None,
    ) -> None:
        self.spec = spec
        self.split = split
        self.image_shape = image_shape
        self.num_examples = num_examples
        self.num_classes = num_classes
        self.class_names = None if class_names is None else list(class_names)
        self.skipped = dict(skipped or {})
        self.paths = paths
        self.value_range = value_range
        self.class_note = ""
        self.verdicts: Any = None

    def __len__(self) -> int:
        return self.num_examples

    def __repr__(self) -> str:
        height, width, channels = self.image_shape
        classes = f", {self.num_classes} classes" if self.num_classes else ""
        # Files have sizes of their own, whatever the canvas is.
        size = "" if self.holds_files else f", {height}x{width}"
        images = f"{self.num_examples:,} images{size}"
        if channels != 3:
            images += f" of {channels} channel{'s' if channels > 1 else ''}"
        return f"{self.spec} ({self.split}): {images}{classes}"

    def identity(self) -> Iterable[str]:
        """What tells this data from other data of the same count and classes.

        Names and sizes of files, checksums that files already hold: nothing that
        takes reading all of the data. Where it gives nothing, as here, a resumed run
        notices only another count or other classes.
        """
        return ()

    def states(self) -> Iterable[str]:
        """When the files of the data were last changed, as far as that is known.

        With `identity` it tells whether what was computed from the images still holds:
        a file may be replaced by another of its size. Copies of the data differ in it.
        """
        return ()

    def fingerprint(self) -> dict[str, object]:
        """The data in a few words, to notice when it has changed.

        Returns:
          `{"images": count, "classes": names or count, "digest": hex SHA-256}`, ready
          for JSON; equal for equal data on any machine.
        """
        described = {
            "images": self.num_examples,
            "classes": self.class_names or self.num_classes,
        }
        digest = hashlib.sha256(json.dumps(described).encode())
        for line in self.identity():
            digest.update(line.encode("utf-8", "surrogateescape") + b"\n")
        return {**described, "digest": digest.hexdigest()}

    def find_fault(self) -> str | None:
        """What has happened to the data since it was loaded, for `data_errors`.

        Returns:
          A sentence that names the files and says what to do; None where nothing is
          found.
        """
        return None

    def unreadable(self) -> np.ndarray:
        """Places of images that cannot be read, as far as reading has shown.

        Another image is read in each such place, labelled -1. Once every image was
        read, this is all of them.

        Returns:
          int64 `[n]`, sorted.
        """
        return (
            np.zeros(0, np.int64) if self.verdicts is None else self.verdicts.places()
        )

    def labels(self) -> np.ndarray | None:
        """All labels at once, where that takes reading no image.

        Returns:
          int32 `[N]`, -1 where an image has none; None where the source has no
          labels, or only finds them in what it reads: images held out to measure on
          are then a fifth of all, and not of each class.
        """
        return None

    def groups(self) -> np.ndarray | None:
        """Which images belong together, as pages of one file do.

        Those of one group are never on both sides where some images are held out.

        Returns:
          int64 `[N]`, the number of each image's group; None where each stands alone.
        """
        return None

    def indices(self, places: np.ndarray) -> np.ndarray:
        """The `"index"` that images at some places have in a batch, int64."""
        return np.asarray(places, np.int64)

    def stated_sizes(self, places: np.ndarray) -> np.ndarray | None:
        """What files say of the size of images, where that takes reading no pixels.

        Args:
          places: integers `[n]`, of the images asked about.

        Returns:
          Integers `[n, 2]`, the two sides in pixels as they are stored, before EXIF
          turns the image; None where only reading tells.
        """
        return None

    def read(self, indices: tf.data.Dataset) -> tf.data.Dataset:
        """Images by their places, in the order asked for.

        Args:
          indices: int64 batches `[B]` of places in the dataset.

        Returns:
          Batches, one for each batch of indices.
        """
        raise NotImplementedError(f"{type(self).__name__} has no random access.")

    def read_files(self, asked: tf.data.Dataset, make: Make) -> tf.data.Dataset:
        """What is made of encoded images, where `holds_files` says there are such.

        Args:
          asked: batches of what is asked for, see `Asked`.
          make: makes an example; it may fail for a damaged image.

        Returns:
          Batches of examples, with `"index"`, the place in the whole dataset, and
          `"label"` as those of `read`.
        """
        raise NotImplementedError(f"{type(self).__name__} holds no files.")
