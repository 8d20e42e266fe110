"""Images in files of their own, read and decoded as they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf

from simclr_tf.data.file_checks import check, check_in_parallel, look_at
from simclr_tf.data.filling import read_and_fill
from simclr_tf.data.image_files import to_canvas
from simclr_tf.data.listing import File
from simclr_tf.data.pages import page_contents
from simclr_tf.data.regular_files import irregularity
from simclr_tf.data.source import Asked, Make, Source, by_index, read_in_batches
from simclr_tf.data.verdicts import Verdicts, changed_since, name_faults


class FolderSource(Source):
    """Image files, read and decoded as they are asked for.

    A file that does not decode has its place filled by another, see `filling`.

    Args:
      files: in the data set's order.
      labels: integers, one a file, or None.
      canvas: side of the square that images are put on, in pixels.
      **about: of `Source`.
    """

    holds_files = True

    def __init__(
        self,
        files: Sequence[File],
        labels: Sequence[int] | None,
        canvas: int,
        **about,
    ) -> None:
        super().__init__(
            num_examples=len(files),
            image_shape=(canvas, canvas, 3),
            paths=[file.title for file in files],
            **about,
        )
        with tf.device("CPU:0"):
            self._paths = tf.constant([file.path for file in files])
            self._pages = None
            if any(file.page is not None for file in files):
                pages = [-1 if file.page is None else file.page for file in files]
                self._pages = tf.constant(pages)
            self._labels = None if labels is None else tf.constant(labels, tf.int32)
        self._files = files
        self._canvas = canvas
        self.verdicts: Verdicts = Verdicts(
            files, self.spec, self.split, self.value_range
        )

    def identity(self) -> Iterable[str]:
        """See `Source`: the files' names below the folder, and their sizes."""
        for file in self._files:
            page = "" if file.page is None else f" {file.page}"
            yield f"{file.name} {max(file.size, 0)}{page}"

    def states(self) -> Iterable[str]:
        """See `Source`."""
        return (f"{file.name} {file.time}" for file in self._files)

    def find_fault(self) -> str | None:
        """See `Source`: files that changed since they were listed, or are too bad."""
        changed = {}
        for file in {each.path: each for each in self._files}.values():
            kind = irregularity(file.path)
            change = f"it is {kind} now" if kind else changed_since(file)
            if change == "it has another size now":
                change = check(file, self.value_range) or change
            if change is not None:
                changed[file.path] = change
        if not changed:
            return self.verdicts.fault() or self.verdicts.fault_of_sample()
        return (
            f"{self.spec} ({self.split}) changed while it was being read: "
            f"{name_faults(changed)}. Leave the files as they are while a command "
            "runs, and start it again."
        )

    def labels(self) -> np.ndarray | None:
        """See `Source`."""
        return None if self._labels is None else self._labels.numpy()

    def groups(self) -> np.ndarray | None:
        """See `Source`: the pages of a file."""
        if self._pages is None:
            return None
        return np.unique(self._paths.numpy(), return_inverse=True)[1]

    def stated_sizes(self, places: np.ndarray) -> np.ndarray | None:
        """See `Source`."""
        files = [self._files[place] for place in places]
        looks = check_in_parallel(files, look_at, "files looked at")
        sizes = [look.size for look in looks]
        return None if None in sizes else np.array(sizes)

    def read(self, indices: tf.data.Dataset) -> tf.data.Dataset:
        """See `Source`."""

        def on_canvas(contents: tf.Tensor, _: Asked) -> dict[str, tf.Tensor]:
            image, size = to_canvas(contents, self._canvas, self.value_range)
            return {"image": image, "size": size}

        return self.read_files(by_index(indices), on_canvas)

    def read_files(self, asked: tf.data.Dataset, make: Make) -> tf.data.Dataset:
        """See `Source`."""

        def read_one(one: Asked, place: tf.Tensor) -> dict[str, tf.Tensor]:
            example = {**make(self._contents(place), one), "index": one["index"]}
            if self._labels is not None:
                example["label"] = tf.gather(self._labels, place)
            return example

        def read_all(asked: tf.data.Dataset) -> tf.data.Dataset:
            return read_and_fill(asked, read_one, len(self), self.verdicts)

        return read_in_batches(asked, read_all)

    def _contents(self, place: tf.Tensor) -> tf.Tensor:
        """The encoded image at a place, a scalar string."""
        path = tf.gather(self._paths, place)
        if self._pages is None:
            return tf.io.read_file(path)
        page = tf.gather(self._pages, place)
        return tf.cond(
            page < 0,
            lambda: tf.io.read_file(path),
            lambda: page_contents(path, page, self.value_range),
        )
