"""Two views of each image: ours, the published way and keras-cv's own layers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation import (
    RandomGaussianBlur,
    SimCLRAugmenter,
    host_two_views,
    to_unit_range,
)
from simclr_tf.augmentation.loops import one_by_one, row_at, unsplit
from simclr_tf.benchmark import peers
from simclr_tf.benchmark.photos import photos
from simclr_tf.benchmark.timing import Contender, Measured, drain, measure
from simclr_tf.data import Source


class _Job(NamedTuple):
    size: int  # side of the views
    side: int  # of the images they are cut from
    blur: bool
    batch: int  # images
    batches: int  # a run


_JOBS = {
    "32 px, no blur": _Job(32, 32, False, 256, 128),
    "224 px from 256 px, no blur": _Job(224, 256, False, 32, 48),
    "224 px from 256 px, whole recipe": _Job(224, 256, True, 32, 48),
}
_PUBLISHED, _STOCK = "published way", "stock keras-cv layers"
# Kinder than what was published: no image is blurred in vain.
_WHERE_DRAWN = "published way, blur where drawn"
_BLUR = _Job(224, 224, True, 32, 96)
# Side of the views, images a batch, batches a run.
_GROWTH = (
    *((side, 32, 16) for side in (32, 64, 96, 160, 224, 320)),
    *((96, batch, 1024 // batch) for batch in (8, 128, 512)),
)


def measure_views(source: Source, repeats: int) -> Iterator[list[Measured]]:
    """Rates at which a host makes both views of images, for each size.

    Args:
      source: images that views are made of.
      repeats: measured runs.
    """
    for name, job in _JOBS.items():
        images = photos(source, job.batch, job.side)
        strength = 1.0 if job.size > 32 else 0.5
        augmenter = SimCLRAugmenter(job.size, color_strength=strength, blur=job.blur)
        host = functools.partial(host_two_views, augmenter)
        published = _single(
            images, peers.published_view(job.size, strength, blur=False)
        )
        where_drawn = peers.published_view(job.size, strength, blur=True)
        stock = peers.keras_cv_view(job.size, strength, blur=job.blur)
        made = {
            "simclr_tf, host": _seeded(images, host),
            "simclr_tf, device form": _seeded(images, augmenter.two_views),
            _PUBLISHED: _batch_blurred(published) if job.blur else published,
            **({_WHERE_DRAWN: _single(images, where_drawn)} if job.blur else {}),
            _STOCK: _batched(images, _twice(stock)),
        }
        yield _compare(name, job, made, repeats)
    images = to_unit_range(photos(source, _BLUR.batch, _BLUR.side))
    made = {
        "simclr_tf, host": _seeded(images, _blur_one_by_one),
        _PUBLISHED: _batch_blurred(_batched(images, _twice(tf.identity))),
        _WHERE_DRAWN: _single(images, peers.published_blur(_BLUR.size)),
        _STOCK: _batched(images, _twice(peers.keras_cv_blur(_BLUR.size))),
    }
    yield _compare("224 px, blur alone", _BLUR, made, repeats)


def _compare(
    name: str, job: _Job, made: dict[str, tf.data.Dataset], repeats: int
) -> list[Measured]:
    contenders = [
        Contender(who, drain(data, job.batches), job.batch * job.batches)
        for who, data in made.items()
    ]
    return measure(name, contenders, repeats)


def _blur_one_by_one(images: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
    """Images twice, blurred as `host_two_views` has it."""
    batch, height, width, channels = images.shape
    layer = RandomGaussianBlur()
    seeds = randomness.fold_in(seeds, tf.constant([[0], [1]]))
    drawn = layer.sample(tf.reshape(seeds, [-1, 2]), tf.zeros([2 * batch, 2]))
    planes = tf.transpose(images, [0, 1, 3, 2])

    def one(place: tf.Tensor) -> tf.Tensor:
        parameters = tf.nest.map_structure(lambda rows: row_at(rows, place), drawn)
        return layer.augment_one(row_at(planes, place % batch), parameters)[0]

    shape = [height, channels, width]
    return unsplit(
        lambda: one_by_one(one, 2 * batch, shape, images.dtype),
        drawn["sigma"][0] > 0,
        [2 * batch, *shape],
        images.dtype,
    )


def measure_growth(source: Source, repeats: int) -> Iterator[list[Measured]]:
    """Rates of ours alone, whole recipe, by the side of the views and by the batch."""
    for side, batch, batches in _GROWTH:
        images = photos(source, batch, side * 8 // 7)
        views = functools.partial(host_two_views, SimCLRAugmenter(side))
        data = _seeded(images, views)
        contender = Contender("simclr_tf, host", drain(data, batches), batch * batches)
        yield measure(f"{side} px, {batch} images", [contender], repeats, size=side)


def _seeded(images: tf.Tensor, views: Callable[..., tf.Tensor]) -> tf.data.Dataset:
    """Views of the same images, compiled, each batch with seeds of its own."""
    compiled = tf.function(views, jit_compile=True, autograph=False)
    place = tf.range(images.shape[0])
    return tf.data.Dataset.counter().map(
        lambda step: compiled(images, randomness.example_seeds(0, step, place)),
        num_parallel_calls=tf.data.AUTOTUNE,
    )


def _twice(view: Callable[[tf.Tensor], tf.Tensor]) -> Callable[[tf.Tensor], tf.Tensor]:
    return lambda images: tf.stack([view(images), view(images)], axis=1)


def _batched(
    images: tf.Tensor, views: Callable[[tf.Tensor], tf.Tensor]
) -> tf.data.Dataset:
    data = tf.data.Dataset.from_tensors(images).repeat()
    return data.map(views, num_parallel_calls=tf.data.AUTOTUNE)


def _batch_blurred(data: tf.data.Dataset) -> tf.data.Dataset:
    return data.map(peers.published_batch_blur, num_parallel_calls=tf.data.AUTOTUNE)


def _single(
    images: tf.Tensor, view: Callable[[tf.Tensor], tf.Tensor]
) -> tf.data.Dataset:
    data = tf.data.Dataset.from_tensor_slices(images).repeat()
    data = data.map(
        lambda image: tf.stack([view(image), view(image)]),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    return data.batch(images.shape[0], drop_remainder=True)
