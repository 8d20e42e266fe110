"""Views from JPEG files, reading and decoding included."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence

import tensorflow as tf

from simclr_tf.augmentation import SimCLRAugmenter
from simclr_tf.benchmark.photos import photos
from simclr_tf.benchmark.timing import Contender, Measured, drain, measure
from simclr_tf.data import Source, load, pretrain_batches

# Takes the side of the views and the names of JPEG files; returns further contenders:
# by name, endless datasets of batches of `BATCH` pairs of views.
OtherJpegViews = Callable[[int, Sequence[str]], Mapping[str, tf.data.Dataset]]

_FILES = 256
BATCH = 32
_BATCHES = {32: 128, 224: 16}  # batches in a run, by the side of the views
_ENDINGS = (".jpg", ".jpeg")


def measure_jpeg_files(
    source: Source, repeats: int, others: OtherJpegViews = lambda size, files: {}
) -> Iterator[list[Measured]]:
    """Rates at which a host makes both views of the images in JPEG files.

    Args:
      source: images. Its own files are read if it has JPEG files; otherwise its
        images are written as JPEG files first.
      repeats: measured runs of each contender.
      others: further contenders.
    """
    with tempfile.TemporaryDirectory() as folder:
        description = _put_files(source, folder)
        files = sorted(os.path.join(folder, name) for name in os.listdir(folder))
        for size in _BATCHES:
            datasets = {"simclr_tf": _views(size, folder), **others(size, files)}
            contenders = [
                Contender(who, drain(data, _BATCHES[size]), BATCH * _BATCHES[size])
                for who, data in datasets.items()
            ]
            yield measure(f"{size} px from {description}", contenders, repeats)


def _put_files(source: Source, folder: str) -> str:
    """Fills a folder with JPEG files; returns a description of them."""
    found = [p for p in source.paths or [] if p.lower().endswith(_ENDINGS)]
    found = found[:: max(len(found) // _FILES, 1)][:_FILES]
    # Files of another format may have the name of a JPEG, which peers cannot decode.
    found = [path for path in found if _first_bytes(path) == b"\xff\xd8\xff"]
    if found:
        for index, path in enumerate(found * -(-BATCH // len(found))):
            name = os.path.join(folder, f"{index}.jpg")
            tf.io.gfile.copy(path, name)
        return f"{len(found)} JPEG files"
    images = photos(source, _FILES, min(source.image_shape[:2]))
    for index, image in enumerate(images):
        name = os.path.join(folder, f"{index}.jpg")
        tf.io.write_file(name, tf.io.encode_jpeg(image))
    return f"{len(images)} images written as JPEG"


def _first_bytes(path: str) -> bytes:
    with tf.io.gfile.GFile(path, "rb") as file:
        return file.read(3)


def _views(size: int, folder: str) -> tf.data.Dataset:
    source = load(f"folder:{folder}", image_size=size, labels=False)
    large = size > 32
    augmenter = SimCLRAugmenter(size, color_strength=1.0 if large else 0.5, blur=large)
    return pretrain_batches(source, augmenter, batch_size=BATCH, seed=0)
