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

# Given the side of the views and names of JPEG files, endless datasets of `BATCH`
# pairs of views by the name of who makes them, to be measured too.
OtherJpegViews = Callable[[int, Sequence[str]], Mapping[str, tf.data.Dataset]]

_FILES = 256
BATCH = 32
_BATCHES = {32: 128, 224: 16}  # a run, by the side of the views
_ENDINGS = (".jpg", ".jpeg")


def measure_jpeg_files(
    source: Source, repeats: int, others: OtherJpegViews = lambda size, files: {}
) -> Iterator[list[Measured]]:
    """Rates at which a host makes both views of the images in JPEG files.

    Args:
      source: whose own files are read where it has JPEG files, else its images,
        written as such.
      repeats: measured runs.
      others: other ways to do the jobs.
    """
    with tempfile.TemporaryDirectory() as folder:
        what = _put_files(source, folder)
        files = sorted(os.path.join(folder, name) for name in os.listdir(folder))
        for size in _BATCHES:
            made = {"simclr_tf": _views(size, folder), **others(size, files)}
            contenders = [
                Contender(who, drain(data, _BATCHES[size]), BATCH * _BATCHES[size])
                for who, data in made.items()
            ]
            yield measure(f"{size} px from {what}", contenders, repeats)


def _put_files(source: Source, folder: str) -> str:
    """Fills a folder with JPEG files; what they are."""
    found = [p for p in source.paths or [] if p.lower().endswith(_ENDINGS)]
    found = found[:: max(len(found) // _FILES, 1)][:_FILES]
    # Not all that is called so: others can decode nothing else.
    found = [path for path in found if _first_bytes(path) == b"\xff\xd8\xff"]
    if found:
        for place, path in enumerate(found * -(-BATCH // len(found))):
            name = os.path.join(folder, f"{place}.jpg")
            tf.io.gfile.copy(path, name)
        return f"{len(found)} JPEG files"
    images = photos(source, _FILES, min(source.image_shape[:2]))
    for place, image in enumerate(images):
        name = os.path.join(folder, f"{place}.jpg")
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
