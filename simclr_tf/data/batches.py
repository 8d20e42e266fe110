"""Batches of views, a function of (seed, step), and batches for evaluation."""

from __future__ import annotations

import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation import SimCLRAugmenter, evaluation_view
from simclr_tf.data.source import DataError, Source
from simclr_tf.data.subset import Subset, shuffled_places

# More steps than any run has, and few enough that counting their images does not
# overflow 64 bits.
_ENDLESS = 2**40


def steps_per_epoch(source: Source, batch_size: int) -> int:
    """Whole batches in an epoch; the images left over wait for another epoch.

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


def pretrain_batches(
    source: Source,
    augmenter: SimCLRAugmenter,
    *,
    batch_size: int,
    seed: int,
    start_step: int = 0,
) -> tf.data.Dataset:
    """Endless batches of two views.

    The batch of a step is a function of (seed, step): an epoch is a permutation
    computed from (seed, epoch), and an image's views from (seed, epoch, index).
    So `start_step=k` gives what skipping k batches gives, at no cost where the
    source has random access.

    Args:
      source: where images come from.
      augmenter: makes the views.
      batch_size: images a batch, before the two views.
      seed: of order and views.
      start_step: the first batch's step.

    Returns:
      `{"views": [B, 2, h, w, 3], "label": [B]}`, the label where the source has
      labels.

    Raises:
      DataError: where a batch is larger than the dataset.
    """
    per_epoch = steps_per_epoch(source, batch_size)
    if source.random_access:
        raw = _random_access(source, batch_size, per_epoch, seed, start_step)
    else:
        raw = _streamed(source, batch_size, per_epoch, seed, start_step)
    two_views = tf.function(augmenter.two_views, jit_compile=True)

    def to_views(epoch: tf.Tensor, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        seeds = randomness.example_seeds(seed, epoch, batch["index"])
        views = two_views(batch["image"], seeds, sizes=batch.get("size"))
        made = {"views": views}
        if "label" in batch:
            made["label"] = batch["label"]
        return made

    views = raw.map(to_views, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return views.prefetch(tf.data.AUTOTUNE)


def _random_access(
    source: Source, batch_size: int, per_epoch: int, seed: int, start_step: int
) -> tf.data.Dataset:
    """Pairs of epoch and batch, read by index."""
    steps = tf.data.Dataset.range(start_step, _ENDLESS)

    def indices(step: tf.Tensor) -> tf.Tensor:
        first = (step % per_epoch) * batch_size
        return tf.random.experimental.index_shuffle(
            first + tf.range(batch_size, dtype=tf.int64),
            seed=tf.stack([tf.constant(seed, tf.int64), step // per_epoch]),
            max_index=tf.constant(len(source) - 1, tf.int64),
        )

    epochs = steps.map(lambda step: step // per_epoch)
    return tf.data.Dataset.zip((epochs, source.read(steps.map(indices))))


def _streamed(
    source: Source, batch_size: int, per_epoch: int, seed: int, start_step: int
) -> tf.data.Dataset:
    """Pairs of epoch and batch, from one shuffled pass over the files an epoch."""
    first, skipped = divmod(start_step, per_epoch)

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        mixed = randomness.example_seeds(seed, epoch, tf.constant([0], tf.int64))
        shuffle_seed = tf.cast(tf.abs(mixed[0, 0]), tf.int64)
        batches = source.stream(shuffle_seed).batch(batch_size, drop_remainder=True)
        skip = tf.where(epoch == first, tf.constant(skipped, tf.int64), 0)
        batches = batches.skip(skip).take(per_epoch - skip)
        return batches.map(lambda batch: (epoch, batch))

    return tf.data.Dataset.range(first, _ENDLESS).flat_map(one_epoch)


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
    """A batch of up to `count` images, spread over the dataset, the same each call."""
    return next(iter(_in_order(source, count, count)))


def _in_order(source: Source, batch_size: int, sample: int | None) -> tf.data.Dataset:
    if not source.random_access:
        examples = source.stream(None if sample is None else 0)
        return examples.take(-1 if sample is None else sample).batch(batch_size)
    if sample is not None and sample < len(source):
        places = shuffled_places(len(source))[:sample]
        source = Subset(source, places, source.split)
    return source.read(tf.data.Dataset.range(len(source)).batch(batch_size))
