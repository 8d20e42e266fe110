"""Batches of views, a function of (seed, step), and batches for evaluation."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation import (
    SimCLRAugmenter,
    checked_values,
    evaluation_view,
    views_of_crops_on_host,
    views_on_host,
)
from simclr_tf.data.failures import data_errors
from simclr_tf.data.file_views import (
    crops_of_files,
    cuts_files,
    evaluation_views_of_files,
)
from simclr_tf.data.service import from_service
from simclr_tf.data.source import DataError, Source
from simclr_tf.data.subset import Subset, shuffled_places
from simclr_tf.image_size import ImageSize
from simclr_tf.methods import Method, NTXentMethod


def steps_per_epoch(source: Source, batch_size: int) -> int:
    """Whole batches in an epoch; the images left over are not used in that epoch.

    Raises:
      DataError: where a batch is larger than the dataset, or smaller than 2.
    """
    if batch_size < 2:
        raise DataError(
            f"batch_size must be at least 2, since images are one another's negatives, "
            f"got {batch_size}."
        )
    if batch_size > len(source):
        raise DataError(
            f"batch_size is {batch_size:,} and {source.spec} ({source.split}) holds "
            f"{len(source):,} images: choose a batch of at most that many."
        )
    return len(source) // batch_size


class _Shares(NamedTuple):
    """Which shares of the global batches one pipeline makes.

    A share is what one replica gets of one global batch. A host's shares are numbered
    through all steps, and a pipeline makes every `stride`-th of them.
    """

    first: tf.Tensor
    stride: int
    size: int  # images a share
    per_step: int  # shares of this host in a global batch
    first_row: int  # of this host in a global batch

    def numbers(self) -> tf.data.Dataset:
        """The endless numbers of this pipeline's shares."""
        return tf.data.Dataset.counter(self.first, tf.constant(self.stride, tf.int64))

    def rows(self, number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The step of a share, and the index of its first row in the global batch."""
        place = number % self.per_step
        return number // self.per_step, self.first_row + place * self.size


def pretrain_batches(
    source: Source,
    augmenter: SimCLRAugmenter | None,
    *,
    batch_size: int,
    seed: int,
    method: Method | None = None,
    on_device: bool = False,
    start_step: int = 0,
    context: tf.distribute.InputContext | None = None,
    data_service: str | None = None,
) -> tf.data.Dataset:
    """Endless batches of views.

    The global batch of a step is a function of (seed, step): an epoch is a
    permutation computed from (seed, epoch), and an image's views from (seed, epoch,
    index). So `start_step=k` gives what skipping k batches gives; and hosts and
    replicas split the batch that one device would see, each host reading its own
    rows alone.

    Of files, crops are cut from each file's own pixels, see `file_crops`, and rounded
    to 8 bits; the other layers follow. Arrays of one size are sent to the layers whole.

    Args:
      source: where images come from.
      augmenter: makes the views; None leaves that to the model, which is then sent
        images with their seeds, files' on a canvas.
      batch_size: images a global batch, before their views.
      seed: of order and views.
      method: which views it wants; SimCLR's two where None.
      on_device: leave what follows a crop to the model, whose augmenter is this one.
      start_step: the first batch's step.
      context: which host this is, and of how many replicas, as
        `tf.distribute.Strategy.distribute_datasets_from_function` says; each
        element is then one replica's share.
      data_service: address of a tf.data service that makes the batches, see
        `simclr data_service`; the batches are the same.

    Returns:
      `{"views": [B, V, h, w, 3], "label": [B]}`, with `"seeds"` where the method draws
      from them. For a model that augments: of files, `{"crops": uint8
      [B, V, h, w, 3], "seeds": int32 [B, 2], "size": int32 [B, 2], …}`, of arrays, and
      without an augmenter, `{"image": uint8 [B, H, W, 3], "seeds": int32 [B, 2], …}`.
      The label where the source has labels.

    Raises:
      DataError: where a batch is larger than the dataset, replicas do not divide
        it, or the data service does not answer.
    """
    per_epoch = steps_per_epoch(source, batch_size)
    context = context or tf.distribute.InputContext()
    replicas = context.num_replicas_in_sync
    require_divisible(batch_size, replicas)
    per_step = replicas // context.num_input_pipelines
    size = batch_size // replicas

    method = method or NTXentMethod()
    cropper = augmenter if cuts_files(source, augmenter) else None
    layers = None if on_device else augmenter

    def pipeline(first: int | tf.Tensor, stride: int) -> tf.data.Dataset:
        shares = _Shares(
            first=tf.cast(first, tf.int64) + start_step * per_step,
            stride=stride,
            size=size,
            per_step=per_step,
            first_row=context.input_pipeline_id * per_step * size,
        )
        numbers = shares.numbers()
        asked = _asked(numbers, len(source), shares, batch_size, per_epoch, seed)
        prepare: Callable[..., dict[str, tf.Tensor]]
        if cropper is None:
            raw = source.read(asked.map(lambda batch: batch["index"]))
            prepare = _prepare(layers, seed, method)
        else:
            raw = crops_of_files(source, asked, cropper, seed=seed, count=method.drawn)
            prepare = _prepare_crops(layers, seed, method)
        epochs = numbers.map(lambda number: shares.rows(number)[0] // per_epoch)
        raw = tf.data.Dataset.zip((epochs, raw))
        return raw.map(prepare, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)

    if data_service is None:
        batches = pipeline(0, 1)
    else:
        batches = from_service(pipeline, data_service)
    return batches.prefetch(tf.data.AUTOTUNE)


def require_divisible(batch_size: int, replicas: int, micro_batches: int = 1) -> None:
    """Raises DataError unless all replicas, and all their micro-batches, are equal."""
    parts = replicas * micro_batches
    if batch_size % parts:
        lower = batch_size - batch_size % parts
        nearest = f"{lower:,} or {lower + parts:,}" if lower else f"{parts:,}"
        pieces = f" in {micro_batches} micro batches each" if micro_batches > 1 else ""
        raise DataError(
            f"batch_size is {batch_size:,}, which {replicas} replicas cannot share "
            f"equally{pieces}: choose {nearest}."
        )


def _prepare(
    augmenter: SimCLRAugmenter | None, seed: int, method: Method
) -> Callable[[tf.Tensor, dict[str, tf.Tensor]], dict[str, tf.Tensor]]:
    """A function from an epoch and raw images to a batch for the model."""
    if augmenter is not None:
        draw = functools.partial(views_on_host, augmenter, count=method.drawn)
        draw = tf.function(draw, jit_compile=True, autograph=False)

    def prepared(epoch: tf.Tensor, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        # A source of the user's own may give other images than uint8.
        batch = {**batch, "image": checked_values(batch["image"])}
        seeds = randomness.example_seeds(seed, epoch, batch["index"])
        if augmenter is None:
            made = {"image": batch["image"], "seeds": seeds}
            made.update({"size": batch["size"]} if "size" in batch else {})
        else:
            views = draw(batch["image"], seeds, sizes=batch.get("size"))
            made = {"views": method.arrange(views, seeds)}
            made.update({"seeds": seeds} if method.draws else {})
        if "label" in batch:
            made["label"] = batch["label"]
        return made

    return prepared


def _prepare_crops(
    augmenter: SimCLRAugmenter | None, seed: int, method: Method
) -> Callable[[tf.Tensor, dict[str, tf.Tensor]], dict[str, tf.Tensor]]:
    """A function from an epoch and crops to a batch for the model.

    The model is left to augment the crops where there is no augmenter.
    """
    views_of: Callable[..., tf.Tensor] | None = None
    if augmenter is not None:
        views_of = functools.partial(views_of_crops_on_host, augmenter)
        views_of = tf.function(views_of, jit_compile=True, autograph=False)

    def prepared(epoch: tf.Tensor, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        seeds = randomness.example_seeds(seed, epoch, batch["index"])
        crops, sizes = batch["crops"], batch["size"]
        if views_of is None:
            made = {"crops": crops, "seeds": seeds, "size": sizes}
        else:
            made = {"views": method.arrange(views_of(crops, seeds, sizes), seeds)}
            made.update({"seeds": seeds} if method.draws else {})
        if "label" in batch:
            made["label"] = batch["label"]
        return made

    return prepared


def _asked(
    numbers: tf.data.Dataset,
    count: int,
    shares: _Shares,
    batch_size: int,
    per_epoch: int,
    seed: int,
) -> tf.data.Dataset:
    """The places and epochs of shares, `"index"` and `"epoch"`.

    An epoch's order is a permutation of all images. It is computed from (seed, epoch)
    for just the rows that are needed: nothing is shuffled in memory, and a run begins
    equally fast at any step.
    """

    def of_share(number: tf.Tensor) -> dict[str, tf.Tensor]:
        step, row = shares.rows(number)
        epoch = step // per_epoch
        first = (step % per_epoch) * batch_size + row
        index = tf.random.experimental.index_shuffle(
            first + tf.range(shares.size, dtype=tf.int64),
            seed=tf.stack([tf.constant(seed, tf.int64), epoch]),
            max_index=tf.constant(count - 1, tf.int64),
        )
        return {"index": index, "epoch": tf.fill([shares.size], epoch)}

    return numbers.map(of_share)


def evaluation_batches(
    source: Source, *, batch_size: int, image_size: ImageSize, sample: int | None = None
) -> tf.data.Dataset:
    """Every image once, in the dataset's order, as the evaluation view.

    Args:
      source: where images come from.
      batch_size: images a batch; the last batch may be smaller.
      image_size: side of the images it gives in pixels, or height and width.
      sample: give this many images at most, spread over the dataset, the same at
        each call.

    Returns:
      `{"image": float32 [b, h, w, C] in [0, 1], "label": [b]}`, the label where the
      source has labels.
    """
    source = spread(source, sample)
    if source.holds_files:
        files = evaluation_views_of_files(source, batch_size, image_size)
        return files.map(_image_and_label).prefetch(tf.data.AUTOTUNE)
    raw = _in_order(source, batch_size)

    def to_view(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        view = evaluation_view(batch["image"], image_size, sizes=batch.get("size"))
        return _image_and_label({**batch, "image": view})

    views = raw.map(to_view, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return views.prefetch(tf.data.AUTOTUNE)


def sample(source: Source, count: int) -> dict[str, tf.Tensor]:
    """A batch of up to `count` images, spread over the dataset, the same each call.

    Raises:
      DataError: where an image cannot be read.
    """
    with data_errors(source):
        return next(iter(_in_order(spread(source, count), count)))


def sample_sizes(source: Source, count: int) -> np.ndarray:
    """Sizes of up to `count` images of many sizes, spread over the dataset.

    Returns:
      Integers `[n, 2]`, the two sides of each in pixels, in either order.

    Raises:
      DataError: where an image has to be read, and cannot be.
    """
    # Headers are read at once; a reader of files takes seconds to trace.
    sizes = source.stated_sizes(shuffled_places(len(source))[:count])
    return sample(source, count)["size"].numpy() if sizes is None else sizes


def _image_and_label(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    return {name: batch[name] for name in ("image", "label") if name in batch}


def spread(source: Source, sample: int | None) -> Source:
    """The source, or so many of its images, spread over it, the same at each call."""
    if sample is not None and sample < len(source):
        places = shuffled_places(len(source))[:sample]
        return Subset(source, places, source.split)
    return source


def _in_order(source: Source, batch_size: int) -> tf.data.Dataset:
    return source.read(tf.data.Dataset.range(len(source)).batch(batch_size))
