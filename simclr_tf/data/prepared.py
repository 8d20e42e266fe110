"""A data set as TFRecord files with a manifest, for `tfrecord:FOLDER` to read."""

from __future__ import annotations

import collections
import concurrent.futures
import functools
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from simclr_tf.data.failures import data_errors
from simclr_tf.data.formats import HEAD, ValueRange, decode_file, find_format
from simclr_tf.data.image_files import decode
from simclr_tf.data.image_headers import MAX_PIXELS, gif_pixels
from simclr_tf.data.level_checks import is_deep
from simclr_tf.data.source import DataError, Source, reason
from simclr_tf.data.verdicts import MAX_BAD_SHARE, too_many
from simclr_tf.progress import Progress
from simclr_tf.whole_files import write_errors

MANIFEST = "manifest.json"
_VERSION = 1
_READERS = 8
_BATCH = 256


class _Image(NamedTuple):
    """An encoded image, or why there is none.

    Attributes:
      name: of its file, or its place in the source.
      contents: a file that TensorFlow decodes, or a serialized array.
      label: -1 where there is none.
      size: height and width in pixels.
      fault: why it cannot be read; None otherwise.
    """

    name: str
    contents: bytes
    label: int
    size: tuple[int, int]
    fault: str | None = None


def write_prepared(
    sources: Mapping[str, Source], folder: str, *, shard_bytes: int
) -> dict:
    """Writes sources as TFRecord files and a manifest.

    JPEG, PNG, GIF and BMP files keep their bytes, and other formats become PNG of 8
    bits, as PNG of 16 bits do where their range was stated. Arrays keep their channels
    and dtype, see `tensor_records`, or become floating point in [0, 1] where their
    range was stated. Every file is decoded to see that it can be; those that cannot be
    are left out and named in the manifest.

    Args:
      sources: by the name of their split, with the same classes.
      folder: an empty folder.
      shard_bytes: bytes of images in a file, about.

    Returns:
      What the manifest holds: `spec`, `classes`, and for each split the counts of
      images and labels, the range of sizes, and each file's images, bytes and SHA-256.

    Raises:
      DataError: where more than a tenth of the images cannot be read, or a source
        holds neither files nor arrays of one size.
      WriteError: where a file cannot be written.
    """
    first = next(iter(sources.values()))
    manifest = {
        "version": _VERSION,
        "spec": first.spec,
        "classes": first.class_names,
        "num_classes": first.num_classes,
        "splits": {
            split: _write_split(source, split, folder, shard_bytes)
            for split, source in sources.items()
        },
    }
    path = os.path.join(folder, MANIFEST)
    with write_errors(path), tf.io.gfile.GFile(path, "w") as file:
        file.write(json.dumps(manifest, indent=2) + "\n")
    return manifest


def read_manifest(folder: str) -> dict | None:
    """The manifest of a folder that `write_prepared` wrote; None of another folder.

    Raises:
      DataError: where it is damaged.
    """
    path = os.path.join(folder, MANIFEST)
    if not tf.io.gfile.exists(path):
        return None
    try:
        with tf.io.gfile.GFile(path) as file:
            manifest = json.load(file)
        known = manifest["version"] == _VERSION and isinstance(manifest["splits"], dict)
    except (ValueError, KeyError, TypeError, tf.errors.OpError) as error:
        raise DataError(f"{path} is damaged: {reason(error)}.") from error
    if not known:
        raise DataError(f"{path} was written by another version of simclr_tf.")
    return manifest


def _write_split(source: Source, split: str, folder: str, shard_bytes: int) -> dict:
    shards: list[dict] = []
    faults: dict[str, str] = {}
    labels: collections.Counter = collections.Counter()
    sizes: list[tuple[int, int]] = []
    progress = Progress(len(source), unit=f"{split} images written")
    writer = None
    for done, image in enumerate(_images(source)):
        if image.fault is not None:
            faults[image.name] = image.fault
            continue
        if writer is None or writer.bytes >= shard_bytes:
            shards += [writer.close()] if writer else []
            writer = _Shard(os.path.join(folder, f"{split}-{len(shards):05}.tfrecord"))
        writer.write(image, source.num_classes is not None)
        labels[image.label] += 1
        sizes.append(image.size)
        if progress.due():
            progress.show(done)
    progress.clear()
    shards += [writer.close()] if writer else []
    if len(faults) > MAX_BAD_SHARE * len(source):
        raise DataError(too_many(source.spec, faults, len(source)))
    heights, widths = np.array(sizes).T
    names = source.class_names or [str(i) for i in range(source.num_classes or 0)]
    return {
        "images": len(sizes),
        "labels": {name: labels[place] for place, name in enumerate(names)},
        "unlabelled": labels[-1],
        "heights": [int(heights.min()), int(heights.max())],
        "widths": [int(widths.min()), int(widths.max())],
        "files": shards,
        "left_out": faults,
    }


class _Shard:
    """A TFRecord file that is being written."""

    def __init__(self, path: str) -> None:
        self._path = path
        with write_errors(path):
            self._writer = tf.io.TFRecordWriter(path)
        self._images = 0
        self.bytes = 0

    def write(self, image: _Image, labelled: bool) -> None:
        def text(value: bytes) -> tf.train.Feature:
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

        feature = {
            "image/encoded": text(image.contents),
            "image/filename": text(image.name.encode("utf-8", "surrogateescape")),
        }
        if labelled:
            value = tf.train.Int64List(value=[image.label])
            feature["image/class/label"] = tf.train.Feature(int64_list=value)
        example = tf.train.Example(features=tf.train.Features(feature=feature))
        with write_errors(self._path):
            self._writer.write(example.SerializeToString())
        self._images += 1
        self.bytes += len(image.contents)

    def close(self) -> dict:
        """Its line in the manifest."""
        with write_errors(self._path):
            self._writer.close()
        digest = hashlib.sha256()
        size = 0
        with tf.io.gfile.GFile(self._path, "rb") as file:
            for block in iter(lambda: file.read(2**20), b""):
                digest.update(block)
                size += len(block)
        return {
            "file": os.path.basename(self._path),
            "images": self._images,
            "bytes": size,
            "sha256": digest.hexdigest(),
        }


def _images(source: Source) -> Iterator[_Image]:
    """All images of a source, in its order."""
    if source.paths is None or source.groups() is not None:
        with data_errors(source):
            yield from (_of_records if source.holds_files else _of_pixels)(source)
        return
    labels = source.labels()
    if labels is None:
        labels = np.full(len(source), -1)
    with concurrent.futures.ThreadPoolExecutor(_READERS) as readers:
        # In batches, so that images that are read do not pile up.
        for first in range(0, len(source), _BATCH):
            part = slice(first, first + _BATCH)
            read = functools.partial(_of_file, value_range=source.value_range)
            yield from readers.map(read, source.paths[part], labels[part])


def _of_file(path: str, label: int, value_range: ValueRange | None) -> _Image:
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            contents = file.read()
    except tf.errors.ResourceExhaustedError:
        raise  # Of the machine's, and no fault of the file's.
    except tf.errors.OpError as error:
        return _Image(path, b"", -1, (0, 0), reason(error))
    return _of_contents(path, contents, label, value_range)


def _of_contents(
    name: str, contents: bytes, label: int, value_range: ValueRange | None
) -> _Image:
    try:
        if gif_pixels(contents) > MAX_PIXELS:
            raise ValueError(f"its frames claim more than {MAX_PIXELS:,} pixels")
        found = find_format(contents[:HEAD])
        if found is not None and found.decode is not None:
            pixels = decode_file(contents, value_range)
            contents = tf.io.encode_png(pixels).numpy()
        else:
            pixels = decode(tf.constant(contents), value_range=value_range)
            if value_range is not None and is_deep(contents):
                contents = tf.io.encode_png(pixels).numpy()
    except tf.errors.ResourceExhaustedError:
        raise
    except (tf.errors.OpError, ValueError) as error:
        return _Image(name, b"", -1, (0, 0), reason(error))
    size = (pixels.shape[0], pixels.shape[1])
    return _Image(os.path.basename(name), contents, int(label), size)


def _of_records(source: Source) -> Iterator[_Image]:
    asked = tf.data.Dataset.range(len(source)).map(lambda index: {"index": index})
    batches = source.read_files(
        asked.batch(_BATCH), lambda contents, _: {"contents": _packed(contents)}
    )
    for batch in batches:
        labels = batch.get("label", tf.fill([len(batch["index"])], -1)).numpy()
        # Other images were read in their places.
        bad = {} if source.verdicts is None else source.verdicts.bad
        for place, contents, label in zip(
            batch["index"].numpy(), batch["contents"].numpy(), labels
        ):
            name = str(place) if source.paths is None else source.paths[place]
            if name in bad:
                yield _Image(name, b"", -1, (0, 0), bad[name])
                continue
            yield _of_contents(name, contents, label, source.value_range)


def _packed(contents: tf.Tensor) -> tf.Tensor:
    """BMP, which pages of files come as, as PNG; other files as they are."""
    return tf.cond(
        tf.strings.substr(contents, 0, 2) == b"BM",
        lambda: tf.io.encode_png(decode(contents)),
        lambda: contents,
    )


def _of_pixels(source: Source) -> Iterator[_Image]:
    place = 0
    for batch in source.read(tf.data.Dataset.range(len(source)).batch(_BATCH)):
        if "size" in batch:
            raise DataError(
                f"{source.spec} gives pictures of many sizes on squares, and not as "
                "files: they cannot be written as they were."
            )
        labels = batch.get("label", tf.fill([len(batch["index"])], -1)).numpy()
        for label, pixels in zip(labels, batch["image"]):
            contents = tf.io.serialize_tensor(pixels).numpy()
            size = (pixels.shape[0], pixels.shape[1])
            yield _Image(str(place), contents, int(label), size)
            place += 1
