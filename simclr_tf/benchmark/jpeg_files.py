"""Views from JPEG files, reading and decoding included."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator

import tensorflow as tf

from simclr_tf.augmentation import SimCLRAugmenter
from simclr_tf.benchmark import peers
from simclr_tf.benchmark.photos import photos
from simclr_tf.benchmark.timing import Contender, Measured, drain, measure
from simclr_tf.data import Source, load, pretrain_batches

_FILES = 256
_BATCH = 32
_BATCHES = {32: 128, 224: 16}  # a run, by the side of the views
_ENDINGS = (".jpg", ".jpeg")


def measure_jpeg_files(source: Source, repeats: int) -> Iterator[list[Measured]]:
    """Rates at which a host makes both views of the images in JPEG files.

    Args:
      source: whose own files are read where it has JPEG files, else its images,
        written as such.
      repeats: measured runs.
    """
    with tempfile.TemporaryDirectory() as folder:
        what = _put_files(source, folder)
        files = sorted(os.path.join(folder, name) for name in os.listdir(folder))
        for size in _BATCHES:
            yield _measure(f"{size} px from {what}", size, folder, files, repeats)


def _put_files(source: Source, folder: str) -> str:
    """Fills a folder with JPEG files; what they are."""
    found = [p for p in source.paths or [] if p.lower().endswith(_ENDINGS)]
    found = found[:: max(len(found) // _FILES, 1)][:_FILES]
    # Not all that is called so: others can decode nothing else.
    found = [path for path in found if _first_bytes(path) == b"\xff\xd8\xff"]
    if found:
        for place, path in enumerate(found * -(-_BATCH // len(found))):
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


def _measure(
    job: str, size: int, folder: str, files: list[str], repeats: int
) -> list[Measured]:
    large = size > 32
    strength = 1.0 if large else 0.5
    source = load(f"folder:{folder}", image_size=size, labels=False)
    augmenter = SimCLRAugmenter(size, color_strength=strength, blur=large)
    view = peers.published_view(size, strength, blur=large)
    cropped = peers.published_view_of_jpeg(size, strength, blur=large)

    def both_of_one(contents: tf.Tensor) -> tf.Tensor:
        image = tf.io.decode_jpeg(contents, channels=3)
        return tf.stack([view(image), view(image)])

    made = {
        "simclr_tf": pretrain_batches(source, augmenter, batch_size=_BATCH, seed=0),
        "published way": _one_by_one(files, both_of_one),
        "published way, decoding each crop": _one_by_one(
            files, lambda contents: tf.stack([cropped(contents), cropped(contents)])
        ),
    }
    contenders = [
        Contender(who, drain(data, _BATCHES[size]), _BATCH * _BATCHES[size])
        for who, data in made.items()
    ]
    return measure(job, contenders, repeats)


def _one_by_one(
    files: list[str], views: Callable[[tf.Tensor], tf.Tensor]
) -> tf.data.Dataset:
    data = tf.data.Dataset.from_tensor_slices(files).repeat()
    data = data.map(
        lambda file: views(tf.io.read_file(file)), num_parallel_calls=tf.data.AUTOTUNE
    )
    return data.batch(_BATCH, drop_remainder=True).prefetch(2)
