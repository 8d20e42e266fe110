"""What a source of images says of itself and how it is read."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from simclr_tf.errors import UserError


class DataError(UserError):
    """A mistake in the data or in how it is named; the message says what to do."""


class MissingSplit(DataError):
    """The dataset is there, and has no such split."""


def reason(error: Exception) -> str:
    """What went wrong, without TensorFlow's notes on where in which graph."""
    message = str(getattr(error, "message", error)).partition("\n\t [[")[0]
    message = message.partition(" [Op:")[0].strip().split("\n")[-1]
    message = re.sub(r"^(\{\{.*?\}\} *)+", "", message)
    asserted = re.fullmatch(
        r"(?:Expected .* to be true\. Summarized data: b'|assertion failed: \[)(.*)['\]]",
        message,
    )
    return asserted[1] if asserted else message


def shuffle(
    examples: tf.data.Dataset, buffer_size: int | tf.Tensor, seed: int | tf.Tensor
) -> tf.data.Dataset:
    """`Dataset.shuffle` in an order that the seed alone decides.

    Where `tf.random.set_seed` was called, the order of `Dataset.shuffle` is a
    function of that seed too.
    """

    def shuffled(seed: tf.Tensor) -> tf.data.Dataset:
        # It seeds the graph of this function alone. With 0, a seed may be no tensor.
        tf.random.set_seed(1)
        return examples.shuffle(buffer_size, seed=seed, reshuffle_each_iteration=False)

    return tf.data.Dataset.from_tensors(tf.cast(seed, tf.int64)).flat_map(shuffled)


class Source:
    """Images of one split of one dataset.

    A batch is a dict of `"image"`, uint8 `[B, H, W, 3]`; `"index"`, int64 `[B]`,
    each image's place in the dataset; `"label"`, int32 `[B]`, where the source has
    labels; and `"size"`, int32 `[B, 2]`, heights and widths of the originals,
    where images of many sizes were put on canvases, see `image_files.to_canvas`.

    A source either has random access and overrides `read`, or is a stream and
    overrides `records` and `example`.

    Args:
      spec: what the user named it by, for messages.
      split: "train", "test" or another split's name.
      image_shape: `(H, W, 3)` of the images it gives.
      num_examples: how many images, or None where a stream cannot tell.
      num_classes: how many classes its labels have, or None without labels.
      class_names: the classes' names in the labels' order, where known.
      skipped: files that were passed over, and why.
      num_files: of a stream, in how many parts of about one size it is stored.
      paths: the images' files, in the dataset's order, where each has its own.
    """

    random_access = False

    def __init__(
        self,
        *,
        spec: str,
        split: str,
        image_shape: tuple[int, int, int],
        num_examples: int | None,
        num_classes: int | None = None,
        class_names: Sequence[str] | None = None,
        skipped: Mapping[str, str] | None = None,
        num_files: int = 1,
        paths: Sequence[str] | None = None,
    ) -> None:
        self.spec = spec
        self.split = split
        self.image_shape = image_shape
        self.num_examples = num_examples
        self.num_classes = num_classes
        self.class_names = None if class_names is None else list(class_names)
        self.skipped = dict(skipped or {})
        self.num_files = num_files
        self.paths = paths

    def __len__(self) -> int:
        if self.num_examples is None:
            raise TypeError(f"{self.spec} does not say how many images it holds.")
        return self.num_examples

    def __repr__(self) -> str:
        count = "?" if self.num_examples is None else f"{self.num_examples:,}"
        height, width, _ = self.image_shape
        classes = f", {self.num_classes} classes" if self.num_classes else ""
        return f"{self.spec} ({self.split}): {count} images, {height}x{width}{classes}"

    def identity(self) -> Iterable[str]:
        """What tells this data from other data of the same count and classes.

        Names and sizes of files, checksums that files already hold: nothing that
        takes reading all of the data.
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

    def labels(self) -> np.ndarray | None:
        """All labels at once, where that takes reading no image.

        Returns:
          int32 `[N]`, -1 where an image has none; None where the source has no
          labels, or only finds them in what it reads.
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

    def records(
        self, shuffle_seed: int | tf.Tensor | None, part: int = 0, parts: int = 1
    ) -> tf.data.Dataset:
        """One of several equal parts of a stream, read without decoding.

        Args:
          shuffle_seed: of the order, or None for the files' own.
          part: which part, from 0; image i is in part `i * parts // N`, or the next.
          parts: how many.

        Returns:
          What `example` decodes, one by one, each image of the part once.
        """
        raise NotImplementedError(f"{type(self).__name__} is not read as a stream.")

    def example(self, *record: tf.Tensor) -> dict[str, tf.Tensor]:
        """Decodes one of `records`: a batch without its first axis."""
        raise NotImplementedError(f"{type(self).__name__} is not read as a stream.")

    def stream(self, shuffle_seed: int | tf.Tensor | None) -> tf.data.Dataset:
        """All images once, one by one, shuffled where a seed is given.

        Returns:
          Examples: batches without their first axis. An example's `"index"` is
          its place in the files, whatever the order.
        """
        return self.records(shuffle_seed).map(
            self.example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        )

    def bounds(self, part: int, parts: int) -> tuple[int, int]:
        """The first image of a part of `records`, and the first beyond it."""
        count = len(self)
        return part * count // parts, (part + 1) * count // parts
