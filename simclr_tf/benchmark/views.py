"""Two views of each image: by this package and by keras-cv's own layers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation import (
    RandomGaussianBlur,
    SimCLRAugmenter,
    to_unit_range,
    views_on_host,
)
from simclr_tf.augmentation.loops import one_by_one, row_at, single_threaded
from simclr_tf.benchmark.photos import photos
from simclr_tf.benchmark.stock import stock_blur, stock_view
from simclr_tf.benchmark.timing import Contender, Measured, drain, measure
from simclr_tf.data import Source


class ViewsJob(NamedTuple):
    """The views to make: their size, the size of the images, and how many."""

    size: int  # side of the views, in pixels
    side: int  # side of the images they are cut from
    blur: bool
    batch: int  # images
    batches: int  # in a run

    @property
    def strength(self) -> float:
        """Strength of the colour jitter, as published for CIFAR-10 and for ImageNet."""
        return 1.0 if self.size > 32 else 0.5


# Takes a job and its images, uint8 `[B, H, W, 3]`; returns further contenders: by name,
# endless datasets of both views of these images.
OtherViews = Callable[[ViewsJob, tf.Tensor], Mapping[str, tf.data.Dataset]]

_JOBS = {
    "32 px, no blur": ViewsJob(32, 32, False, 256, 128),
    "224 px from 256 px, no blur": ViewsJob(224, 256, False, 32, 48),
    "224 px from 256 px, whole recipe": ViewsJob(224, 256, True, 32, 48),
}
_STOCK = "stock keras-cv layers"
# Views that are only blurred, from images of the same size.
BLUR = ViewsJob(224, 224, True, 32, 96)
# (side of the views, images in a batch, batches in a run).
_GROWTH = (
    *((side, 32, 16) for side in (32, 64, 96, 160, 224, 320)),
    *((96, batch, 1024 // batch) for batch in (8, 128, 512)),
)


def measure_views(
    source: Source, repeats: int, others: OtherViews = lambda job, images: {}
) -> Iterator[list[Measured]]:
    """Rates at which a host makes both views of images, for each size.

    Args:
      source: images to make views of.
      repeats: measured runs of each contender.
      others: further contenders; for the job `BLUR`, those that only blur.
    """
    for name, job in _JOBS.items():
        images = photos(source, job.batch, job.side)
        augmenter = SimCLRAugmenter(
            job.size, color_strength=job.strength, blur=job.blur
        )
        host = functools.partial(views_on_host, augmenter)
        stock = stock_view(job.size, job.strength, blur=job.blur)
        datasets = {
            "simclr_tf, host": _seeded(images, host),
            "simclr_tf, device form": _seeded(images, augmenter.two_views),
            **others(job, images),
            _STOCK: mapped(images, twice(stock)),
        }
        yield _compare(name, job, datasets, repeats)
    images = photos(source, BLUR.batch, BLUR.side)
    unit = to_unit_range(images)
    datasets = {
        "simclr_tf, host": _seeded(unit, _blur_one_by_one),
        **others(BLUR, images),
        _STOCK: mapped(unit, twice(stock_blur(BLUR.size))),
    }
    yield _compare("224 px, blur alone", BLUR, datasets, repeats)


def _compare(
    name: str, job: ViewsJob, datasets: dict[str, tf.data.Dataset], repeats: int
) -> list[Measured]:
    contenders = [
        Contender(who, drain(data, job.batches), job.batch * job.batches)
        for who, data in datasets.items()
    ]
    return measure(name, contenders, repeats)


def _blur_one_by_one(images: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
    """Each image twice, blurred one at a time as in `views_on_host`."""
    batch, height, width, channels = images.shape
    layer = RandomGaussianBlur()
    seeds = randomness.fold_in(seeds, tf.constant([[0], [1]]))
    drawn = layer.sample(tf.reshape(seeds, [-1, 2]), tf.zeros([2 * batch, 2]))
    planes = tf.transpose(images, [0, 1, 3, 2])

    def one(row: tf.Tensor) -> tf.Tensor:
        parameters = tf.nest.map_structure(lambda rows: row_at(rows, row), drawn)
        return layer.augment_one(row_at(planes, row % batch), parameters)[0]

    shape = [height, channels, width]
    return single_threaded(
        lambda: one_by_one(one, 2 * batch, shape, images.dtype),
        drawn["sigma"][0] > 0,
        [2 * batch, *shape],
        images.dtype,
    )


def measure_growth(source: Source, repeats: int) -> Iterator[list[Measured]]:
    """Rates of `views_on_host` alone, by the side of the views and by the batch."""
    for side, batch, batches in _GROWTH:
        images = photos(source, batch, side * 8 // 7)
        views = functools.partial(views_on_host, SimCLRAugmenter(side))
        data = _seeded(images, views)
        contender = Contender("simclr_tf, host", drain(data, batches), batch * batches)
        yield measure(f"{side} px, {batch} images", [contender], repeats, size=side)


def _seeded(images: tf.Tensor, views: Callable[..., tf.Tensor]) -> tf.data.Dataset:
    """Batches of views of the same images, compiled, each with seeds of its own."""
    compiled = tf.function(views, jit_compile=True, autograph=False)
    index = tf.range(images.shape[0])
    return tf.data.Dataset.counter().map(
        lambda step: compiled(images, randomness.example_seeds(0, step, index)),
        num_parallel_calls=tf.data.AUTOTUNE,
    )


def twice(view: Callable[[tf.Tensor], tf.Tensor]) -> Callable[[tf.Tensor], tf.Tensor]:
    """Turns a function that makes one view of each image into one that makes two.

    The result returns `[B, 2, h, w, C]`.
    """
    return lambda images: tf.stack([view(images), view(images)], axis=1)


def mapped(
    images: tf.Tensor, views: Callable[[tf.Tensor], tf.Tensor]
) -> tf.data.Dataset:
    """An endless dataset of views of the same batch of images."""
    data = tf.data.Dataset.from_tensors(images).repeat()
    return data.map(views, num_parallel_calls=tf.data.AUTOTUNE)
