"""What training and evaluation see of a few images."""

from __future__ import annotations

import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation import SimCLRAugmenter
from simclr_tf.data.batches import evaluation_batches, spread
from simclr_tf.data.failures import data_errors
from simclr_tf.data.file_views import crops_of_files, cuts_files
from simclr_tf.data.source import Source
from simclr_tf.image_size import ImageSize


def preview(
    source: Source, augmenter: SimCLRAugmenter, count: int, *, seed: int, epochs: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Up to `count` images, spread over the dataset, and views of them.

    Args:
      source: where images come from.
      augmenter: makes the views.
      count: how many images at most.
      seed: of the run whose views they are.
      epochs: from its first epoch on, two views of each.

    Returns:
      Evaluation views `[N, s, s, 3]`, and views `[N, 2 * epochs, s, s, 3]`, in [0, 1].

    Raises:
      DataError: where an image cannot be read.
    """
    part = spread(source, count)
    images = unaugmented(source, count, augmenter.image_size)
    with data_errors(source):
        views = list(_views(part, augmenter, seed, epochs))
    return images, tf.concat(views, axis=1)


def unaugmented(source: Source, count: int, image_size: ImageSize) -> tf.Tensor:
    """Evaluation views, in [0, 1] `[N, h, w, C]`, of the images of `preview`.

    Args:
      source: where images come from.
      count: how many images at most.
      image_size: side of the views in pixels, or height and width.

    Raises:
      DataError: where an image cannot be read.
    """
    part = spread(source, count)
    with data_errors(source):
        batches = evaluation_batches(part, batch_size=len(part), image_size=image_size)
        return next(iter(batches))["image"]


def _views(
    part: Source, augmenter: SimCLRAugmenter, seed: int, epochs: int
) -> tf.data.Dataset:
    """Pairs of views `[N, 2, s, s, 3]` of all images, a pair for each epoch."""
    numbers = tf.data.Dataset.range(epochs)
    everything = tf.range(len(part), dtype=tf.int64)

    def seeds_of(epoch: tf.Tensor, batch: dict[str, tf.Tensor]) -> tf.Tensor:
        return randomness.example_seeds(seed, epoch, batch["index"])

    def views_of_crops(epoch: tf.Tensor, batch: dict[str, tf.Tensor]) -> tf.Tensor:
        seeds = seeds_of(epoch, batch)
        return augmenter.views_of_crops(batch["crops"], seeds, batch["size"])

    def views_of_images(epoch: tf.Tensor, batch: dict[str, tf.Tensor]) -> tf.Tensor:
        seeds = seeds_of(epoch, batch)
        return augmenter.two_views(batch["image"], seeds, sizes=batch.get("size"))

    if not cuts_files(part, augmenter):
        images = part.read(numbers.map(lambda _: everything))
        return tf.data.Dataset.zip((numbers, images)).map(views_of_images)
    asked = numbers.map(
        lambda epoch: {"index": everything, "epoch": tf.fill([len(part)], epoch)}
    )
    crops = crops_of_files(part, asked, augmenter, seed=seed, count=2)
    return tf.data.Dataset.zip((numbers, crops)).map(views_of_crops)
