"""Image files in a folder, however nested."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from simclr_tf import messages
from simclr_tf.data.image_files import (
    EXTENSIONS,
    canvas_size,
    decode_for_canvas,
    to_canvas,
)
from simclr_tf.data.image_headers import MAX_PIXELS, gif_pixels
from simclr_tf.data.regular_files import irregularity, size_of
from simclr_tf.data.source import (
    Asked,
    DataError,
    Make,
    MissingSplit,
    Source,
    by_index,
    read_in_batches,
    reason,
)
from simclr_tf.progress import Progress

MAX_BAD_SHARE = 0.1
_SPLIT_FOLDERS = {"train": ("train",), "test": ("test", "val", "validation")}
_MAX_BYTES = 2**31  # of a file: MAX_PIXELS of 12 bytes
_NAMED_AT_MOST = 5
_READERS = 8


class FolderSource(Source):
    """Image files, read and decoded as they are asked for.

    Args:
      paths: the files.
      labels: integers, one a file, or None.
      canvas: side of the square that images are put on, in pixels.
      root: the folder that they lie in.
      sizes: bytes of each file.
      **about: of `Source`.
    """

    holds_files = True

    def __init__(
        self,
        paths: Sequence[str],
        labels: Sequence[int] | None,
        canvas: int,
        *,
        root: str,
        sizes: Sequence[int],
        **about,
    ) -> None:
        super().__init__(
            num_examples=len(paths),
            image_shape=(canvas, canvas, 3),
            paths=paths,
            **about,
        )
        with tf.device("CPU:0"):
            self._paths = tf.constant(paths)
            self._labels = None if labels is None else tf.constant(labels, tf.int32)
        self._files = paths
        self._canvas = canvas
        self._root = root
        self._sizes = sizes

    def identity(self) -> Iterable[str]:
        """See `Source`: the files' names below the folder, and their sizes."""
        for path, size in zip(self._files, self._sizes):
            yield f"{os.path.relpath(path, self._root)} {size}"

    def find_fault(self) -> str | None:
        """See `Source`: files that changed since they were checked, when loaded."""
        changed = {}
        for path, size in zip(self._files, self._sizes):
            kind = irregularity(path)
            if not tf.io.gfile.exists(path):
                changed[path] = "it is gone"
            elif kind is not None:
                changed[path] = f"it is {kind} now"
            elif size_of(path) not in (None, size):
                fault = _check(path, self._canvas)[1]
                changed[path] = fault or "it has another size now"
        if not changed:
            return None
        return (
            f"{self.spec} ({self.split}) changed while it was being read: "
            f"{_name(changed)}. Leave the files as they are while a command runs, and "
            "start it again."
        )

    def labels(self) -> np.ndarray | None:
        """See `Source`."""
        return None if self._labels is None else self._labels.numpy()

    def read(self, indices: tf.data.Dataset) -> tf.data.Dataset:
        """See `Source`."""

        def on_canvas(contents: tf.Tensor, _: Asked) -> dict[str, tf.Tensor]:
            image, size = to_canvas(contents, self._canvas)
            return {"image": image, "size": size}

        return self.read_files(by_index(indices), on_canvas)

    def read_files(self, asked: tf.data.Dataset, make: Make) -> tf.data.Dataset:
        """See `Source`."""

        def read_one(one: Asked) -> dict[str, tf.Tensor]:
            index = one["index"]
            contents = tf.io.read_file(tf.gather(self._paths, index))
            example = {**make(contents, one), "index": index}
            if self._labels is not None:
                example["label"] = tf.gather(self._labels, index)
            return example

        def read_all(asked: tf.data.Dataset) -> tf.data.Dataset:
            return asked.map(
                read_one, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
            )

        return read_in_batches(asked, read_all)


def load_folder(
    path: str, split: str, image_size: int | None, labels: bool
) -> FolderSource:
    """The images under a folder: JPEG, PNG, BMP and the first frame of GIF.

    Every file is decoded once up front. Those that cannot be are passed over,
    counted and named; more than a tenth of them is an error. Pipes, devices and others
    that are not regular files are passed over and named too.

    Args:
      path: the folder. Its subfolders `train` and `test` (or `val`, `validation`)
        are the splits; where it has none of them, it is the split "train".
      split: "train" or "test".
      image_size: side of the views the images are for, in pixels; `read` puts
        images on a square half again as wide.
      labels: whether the first folder below names each image's class.

    Raises:
      DataError: where there is no such folder, no image in it, or too many that
        cannot be read.
    """
    with _listing(path):
        root = _split_folder(path, split)
        files, others = _list(root)
    irregular = _irregular(files)
    files = [file for file in files if file not in irregular]
    if irregular:
        messages.say(f"{root}: passed over {_name(irregular)}.", sys.stderr)
    if not files:
        kinds = _describe(others)
        raise DataError(
            f"{root} holds no images ({', '.join(e[1:] for e in EXTENSIONS)})"
            f"{'; it holds ' + kinds if kinds else ''}."
        )
    if others:
        messages.say(f"{root}: passed over {_describe(others)}.", sys.stderr)
    canvas = canvas_size(image_size)
    sizes, bad = _check_all(files, canvas)
    if len(bad) > MAX_BAD_SHARE * len(files):
        raise DataError(
            f"{root}: {len(bad):,} of {len(files):,} images cannot be read, more than "
            f"{MAX_BAD_SHARE:.0%}: {_name(bad)}. Repair or remove them."
        )
    if bad:
        messages.say(
            f"{root}: passed over {len(bad):,} of {len(files):,} images that cannot be "
            f"read: {_name(bad)}.",
            sys.stderr,
        )
    files = [file for file in files if file not in bad]
    classes = _classes(root, files) if labels else []
    places = {name: place for place, name in enumerate(classes)}
    return FolderSource(
        files,
        [places.get(_class(root, file), -1) for file in files] if places else None,
        canvas,
        root=root,
        sizes=[sizes[file] for file in files],
        spec=f"folder:{path}",
        split=split,
        num_classes=len(classes) or None,
        class_names=classes or None,
        skipped={
            **irregular,
            **bad,
            **dict.fromkeys(others, "not an image format read here"),
        },
    )


@contextlib.contextmanager
def _listing(path: str) -> Iterator[None]:
    """Turns what goes wrong while folders are listed into DataErrors."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} holds the name {error.object!r}, which is not UTF-8: rename it."
        ) from error
    except tf.errors.OpError as error:
        raise DataError(
            f"{path} cannot be listed: {reason(error)}. Make its folders readable, or "
            "move those away that should not be read."
        ) from error


def _split_folder(path: str, split: str) -> str:
    if not tf.io.gfile.isdir(path):
        raise DataError(f"{path} is no folder.")
    for name in _SPLIT_FOLDERS.get(split, (split,)):
        inside = os.path.join(path, name)
        if tf.io.gfile.isdir(inside):
            if split == "train":
                _say_what_is_beside(path)
            return inside
    if split != "train":
        raise MissingSplit(f"{path} has no subfolder {split}.")
    for name in _SPLIT_FOLDERS["test"]:
        if tf.io.gfile.isdir(os.path.join(path, name)):
            raise DataError(
                f"{path} has a subfolder {name}, which holds test images, and no "
                f"subfolder train. Put the training images there; or give "
                f"folder:{os.path.join(path, name)} to use {name} itself."
            )
    return path


def _say_what_is_beside(path: str) -> None:
    """Warns of classes beside "train", which is then likely to be a class too."""
    splits = {name for names in _SPLIT_FOLDERS.values() for name in names}
    others = [
        name
        for name in sorted(file.rstrip("/") for file in tf.io.gfile.listdir(path))
        if name not in splits
        and not name.startswith(".")
        and tf.io.gfile.isdir(os.path.join(path, name))
    ]
    if others:
        more = len(others) - _NAMED_AT_MOST
        messages.say(
            f"{path}: its subfolder train is the split; passed over the subfolders "
            f"{', '.join(others[:_NAMED_AT_MOST])}"
            f"{f' and {more:,} more' if more > 0 else ''}.",
            sys.stderr,
        )


def _list(root: str) -> tuple[list[str], list[str]]:
    """Files that are images by their names, and others; hidden ones are left out."""
    images: list[str] = []
    others: list[str] = []
    for folder, names in _walk(root, {os.path.realpath(root)}):
        for name in names:
            is_image = name.lower().endswith(EXTENSIONS)
            (images if is_image else others).append(os.path.join(folder, name))
    return sorted(images), sorted(others)


def _walk(folder: str, above: set[str]) -> Iterator[tuple[str, list[str]]]:
    """Folders and the files in them, without hidden ones.

    A link to a folder is followed unless it leads back to one of those above it.
    """
    here, folders, files = next(tf.io.gfile.walk(folder))
    yield here, [name for name in files if not name.startswith(".")]
    for name in folders:
        below = os.path.join(folder, name.rstrip("/"))
        real = os.path.realpath(below)
        if not name.startswith(".") and real not in above:
            yield from _walk(below, above | {real})


def _describe(files: Sequence[str]) -> str:
    """ "3 .webp, 1 .txt", most frequent first."""
    kinds = collections.Counter(
        os.path.splitext(file)[1].lower() or "without extension" for file in files
    )
    return ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())


def _irregular(files: Sequence[str]) -> dict[str, str]:
    """Paths that are not regular files, each with its kind, such as "a pipe"."""
    kinds = zip(files, map(irregularity, files))
    return {file: f"it is {kind}" for file, kind in kinds if kind is not None}


def _check_all(
    files: Sequence[str], canvas: int
) -> tuple[dict[str, int], dict[str, str]]:
    """The sizes in bytes of all files, and the reasons why some do not decode."""
    sizes, bad = {}, {}
    progress = Progress(len(files), unit="files checked")
    readers = concurrent.futures.ThreadPoolExecutor(_READERS)
    try:
        checks = readers.map(lambda file: _check(file, canvas), files)
        for done, (file, (size, fault)) in enumerate(zip(files, checks)):
            sizes[file] = size
            if fault:
                bad[file] = fault
            if progress.due():
                progress.show(done)
    finally:
        # After Ctrl-C the files that are still to be read do not matter.
        readers.shutdown(wait=False, cancel_futures=True)
        progress.clear()
    return sizes, bad


def _check(file: str, canvas: int) -> tuple[int, str | None]:
    """Bytes of a file, and why it does not decode, or None."""
    size = size_of(file) or 0
    if size > _MAX_BYTES:
        return size, f"it is of {size:,} bytes, and {_MAX_BYTES:,} are read at most"
    try:
        contents = tf.io.read_file(file).numpy()
        pixels = gif_pixels(contents)
        if pixels > MAX_PIXELS:
            return len(contents), (
                f"its frames claim {pixels:,} pixels, and {MAX_PIXELS:,} are read at "
                "most"
            )
        decode_for_canvas(tf.constant(contents), canvas)
    except (tf.errors.OpError, ValueError) as error:
        return size, reason(error)
    return len(contents), None


def _name(faults: Mapping[str, str]) -> str:
    """The first few files, and what is wrong with each."""
    shown = [
        f"{_on_one_line(file)} ({fault})"
        for file, fault in list(faults.items())[:_NAMED_AT_MOST]
    ]
    more = len(faults) - len(shown)
    return "; ".join(shown) + (f"; and {more:,} more" if more else "")


def _on_one_line(file: str) -> str:
    """A file's name in a message: names may hold line breaks and escape sequences."""
    return messages.printable(file).replace("\n", "\\n").replace("\t", "\\t")


def _class(root: str, file: str) -> str:
    """The first folder below the root that a file lies in, or ""."""
    first, _, rest = os.path.relpath(file, root).partition(os.sep)
    return first if rest else ""


def _classes(root: str, files: Sequence[str]) -> list[str]:
    names = sorted({_class(root, file) for file in files} - {""})
    return names if len(names) > 1 else []
