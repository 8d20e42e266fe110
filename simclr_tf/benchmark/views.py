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
    host_two_views,
    to_unit_range,
)
from simclr_tf.augmentation.loops import one_by_one, row_at, single_threaded
from simclr_tf.benchmark.photos import photos
from simclr_tf.benchmark.stock import stock_blur, stock_view
from simclr_tf.benchmark.timing import Contender, Measured, drain, measure
from simclr_tf.data import Source


class ViewsJob(NamedTuple):
    """Views to make: of which size, from which images, how many."""

    size: int  # side of the views, in pixels
    side: int  # side of the images they are cut from
    blur: bool
    batch: int  # images
    batches: int  # a run

    @property
    def strength(self) -> float:
        """Of the colour jitter: the published one for CIFAR-10 and for ImageNet."""
        return 1.0 if self.size > 32 else 0.5


# Given a job and its images uint8 `[B, H, W, 3]`, endless datasets of both views of
# them by the name of who makes them, to be measured too.
OtherViews = Callable[[ViewsJob, tf.Tensor], Mapping[str, tf.data.Dataset]]

_JOBS = {
    "32 px, no blur": ViewsJob(32, 32, False, 256, 128),
    "224 px from 256 px, no blur": ViewsJob(224, 256, False, 32, 48),
    "224 px from 256 px, whole recipe": ViewsJob(224, 256, True, 32, 48),
}
_STOCK = "stock keras-cv layers"
# Views that are blurred and nothing else, cut from images of their own size.
BLUR = ViewsJob(224, 224, True, 32, 96)
# Side of the views, images a batch, batches a run.
_GROWTH = (
    *((side, 32, 16) for side in (32, 64, 96, 160, 224, 320)),
    *((96, batch, 1024 // batch) for batch in (8, 128, 512)),
)


def measure_views(
    source: Source, repeats: int, others: OtherViews = lambda job, images: {}
) -> Iterator[list[Measured]]:
    """Rates at which a host makes both views of images, for each size.

    Args:
      source: images that views are made of.
      repeats: measured runs.
      others: other ways to do the jobs; `BLUR` is that of blurring alone.
    """
    for name, job in _JOBS.items():
        images = photos(source, job.batch, job.side)
        augmenter = SimCLRAugmenter(
            job.size, color_strength=job.strength, blur=job.blur
        )
        host = functools.partial(host_two_views, augmenter)
        stock = stock_view(job.size, job.strength, blur=job.blur)
        made = {
            "simclr_tf, host": _seeded(images, host),
            "simclr_tf, device form": _seeded(images, augmenter.two_views),
            **others(job, images),
            _STOCK: mapped(images, twice(stock)),
        }
        yield _compare(name, job, made, repeats)
    images = photos(source, BLUR.batch, BLUR.side)
    unit = to_unit_range(images)
    made = {
        "simclr_tf, host": _seeded(unit, _blur_one_by_one),
        **others(BLUR, images),
        _STOCK: mapped(unit, twice(stock_blur(BLUR.size))),
    }
    yield _compare("224 px, blur alone", BLUR, made, repeats)


def _compare(
    name: str, job: ViewsJob, made: dict[str, tf.data.Dataset], repeats: int
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
    return single_threaded(
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


def twice(view: Callable[[tf.Tensor], tf.Tensor]) -> Callable[[tf.Tensor], tf.Tensor]:
    """Both views `[B, 2, h, w, C]` of a batch by a function that makes one of each."""
    return lambda images: tf.stack([view(images), view(images)], axis=1)


def mapped(
    images: tf.Tensor, views: Callable[[tf.Tensor], tf.Tensor]
) -> tf.data.Dataset:
    """An endless dataset of views of the same batch of images."""
    data = tf.data.Dataset.from_tensors(images).repeat()
    return data.map(views, num_parallel_calls=tf.data.AUTOTUNE)
