"""Crops and evaluation views of a dataset's files, each a function of its own file."""

from __future__ import annotations

import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation import SimCLRAugmenter, evaluation_view
from simclr_tf.data.file_crops import crops_of_file
from simclr_tf.data.image_files import decode
from simclr_tf.data.source import Asked, Source
from simclr_tf.image_size import ImageSize


def cuts_files(source: Source, augmenter: object) -> bool:
    """Whether views are made of crops of the source's files.

    They are not where images are arrays of one size, nor where the augmenter is of
    another class than `SimCLRAugmenter`, or its crop does more than to resize a box.
    """
    return (
        source.holds_files
        and isinstance(augmenter, SimCLRAugmenter)
        and augmenter.crops_by_boxes
    )


def crops_of_files(
    source: Source,
    asked: tf.data.Dataset,
    augmenter: SimCLRAugmenter,
    *,
    seed: int,
    count: int,
) -> tf.data.Dataset:
    """Crops of a source's files.

    A crop is a function of (file, seed, epoch, index): its box is drawn from the seeds
    that `randomness.example_seeds` gives, on the file's own height and width.

    Args:
      source: holds files.
      asked: batches of `"index"` and `"epoch"`, int64 `[B]`.
      augmenter: draws the boxes.
      seed: the run's.
      count: crops of each file, V.

    Returns:
      Batches of `"crops"`, uint8 `[B, V, s, s, 3]`, `"size"`, int32 `[B, 2]`, heights
      and widths in the files, `"index"` and, where known, `"label"`.
    """

    # Compiled by itself: a draw is some thousand small operations.
    @tf.function(jit_compile=True, autograph=False)
    def boxes(epoch: tf.Tensor, index: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        seeds = randomness.example_seeds(seed, epoch, index[None])
        return augmenter.crop_boxes(seeds, size[None], count)[0]

    def cut(contents: tf.Tensor, one: Asked) -> dict[str, tf.Tensor]:
        crops, size = crops_of_file(
            contents,
            lambda size: boxes(one["epoch"], one["index"], size),
            count,
            augmenter.crop.height,
            augmenter.crop.width,
            source.value_range,
        )
        return {"crops": crops, "size": size}

    return source.read_files(asked, cut)


def evaluation_views_of_files(
    source: Source, batch_size: int, image_size: ImageSize
) -> tf.data.Dataset:
    """Every file once, in the dataset's order, as its evaluation view.

    It is what an exported model sees of the same file: the whole file is decoded, and
    nothing is reduced before `evaluation_view` does it.

    Args:
      source: holds files.
      batch_size: images a batch; the last batch may be smaller.
      image_size: side of the images it gives in pixels, or height and width.

    Returns:
      Batches of `"image"`, `[b, h, w, 3]` in [0, 1], `"index"` and, where known,
      `"label"`.
    """

    def view(contents: tf.Tensor, _: Asked) -> dict[str, tf.Tensor]:
        image = decode(contents, value_range=source.value_range)
        return {"image": evaluation_view(image[None], image_size)[0]}

    asked = tf.data.Dataset.range(len(source)).map(lambda index: {"index": index})
    return source.read_files(asked.batch(batch_size), view)
