"""Batches of views, a function of (seed, step), and batches for evaluation."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation import (
    SimCLRAugmenter,
    checked_values,
    evaluation_view,
    views_on_host,
)
from simclr_tf.data.failures import data_errors
from simclr_tf.data.service import from_service
from simclr_tf.data.source import DataError, Source
from simclr_tf.data.subset import Subset, shuffled_places
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

    Args:
      source: where images come from.
      augmenter: makes the views; None leaves that to the model, which is then sent
        images with their seeds.
      batch_size: images a global batch, before their views.
      seed: of order and views.
      method: which views it wants; SimCLR's two where None.
      start_step: the first batch's step.
      context: which host this is, and of how many replicas, as
        `tf.distribute.Strategy.distribute_datasets_from_function` says; each
        element is then one replica's share.
      data_service: address of a tf.data service that makes the batches, see
        `simclr data_service`; the batches are the same.

    Returns:
      `{"views": [B, V, h, w, 3], "label": [B]}`, with `"seeds"` where the method draws
      from them, or without an augmenter
      `{"image": uint8 [B, H, W, 3], "seeds": int32 [B, 2], …}`; the label where the
      source has labels.

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

    def pipeline(first: int | tf.Tensor, stride: int) -> tf.data.Dataset:
        shares = _Shares(
            first=tf.cast(first, tf.int64) + start_step * per_step,
            stride=stride,
            size=size,
            per_step=per_step,
            first_row=context.input_pipeline_id * per_step * size,
        )
        raw = _read_shares(source, shares, batch_size, per_epoch, seed)
        return raw.map(
            _prepare(augmenter, seed, method or NTXentMethod()),
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )

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

    # AutoGraph would take seconds, and there is no Python control flow to convert.
    @tf.autograph.experimental.do_not_convert
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


def _read_shares(
    source: Source, shares: _Shares, batch_size: int, per_epoch: int, seed: int
) -> tf.data.Dataset:
    """Pairs of epoch and raw share.

    An epoch's order is a permutation of all images. It is computed from (seed, epoch)
    for just the rows that are needed: nothing is shuffled in memory, and a run begins
    equally fast at any step.
    """
    numbers = shares.numbers()

    def indices(number: tf.Tensor) -> tf.Tensor:
        step, row = shares.rows(number)
        first = (step % per_epoch) * batch_size + row
        return tf.random.experimental.index_shuffle(
            first + tf.range(shares.size, dtype=tf.int64),
            seed=tf.stack([tf.constant(seed, tf.int64), step // per_epoch]),
            max_index=tf.constant(len(source) - 1, tf.int64),
        )

    epochs = numbers.map(lambda number: shares.rows(number)[0] // per_epoch)
    return tf.data.Dataset.zip((epochs, source.read(numbers.map(indices))))


def evaluation_batches(
    source: Source, *, batch_size: int, image_size: int, sample: int | None = None
) -> tf.data.Dataset:
    """Every image once, in the dataset's order, as the evaluation view.

    Args:
      source: where images come from.
      batch_size: images a batch; the last batch may be smaller.
      image_size: side of the images it gives, in pixels.
      sample: give this many images at most, spread over the dataset, the same at
        each call.

    Returns:
      `{"image": float32 [b, s, s, 3] in [0, 1], "label": [b]}`, the label where the
      source has labels.
    """
    raw = _in_order(source, batch_size, sample)

    def to_view(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        view = evaluation_view(batch["image"], image_size, sizes=batch.get("size"))
        made = {"image": view}
        if "label" in batch:
            made["label"] = batch["label"]
        return made

    views = raw.map(to_view, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return views.prefetch(tf.data.AUTOTUNE)


def sample(source: Source, count: int) -> dict[str, tf.Tensor]:
    """A batch of up to `count` images, spread over the dataset, the same each call.

    Raises:
      DataError: where an image cannot be read.
    """
    with data_errors(source):
        return next(iter(_in_order(source, count, count)))


def _in_order(source: Source, batch_size: int, sample: int | None) -> tf.data.Dataset:
    if sample is not None and sample < len(source):
        places = shuffled_places(len(source))[:sample]
        source = Subset(source, places, source.split)
    return source.read(tf.data.Dataset.range(len(source)).batch(batch_size))
