"""`simclr benchmark` with more to compare with: the published way, and bare Keras.

From the root of the checkout:

python -m tools.benchmark.with_peers --dataset=folder:caltech101 --repeats=3

experiments/benchmark shows what it gave.
"""

from __future__ import annotations

import argparse
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence

import tensorflow as tf

from simclr_tf.augmentation import to_unit_range
from simclr_tf.benchmark import PARTS, benchmark, loss, step, views
from simclr_tf.benchmark.jpeg_files import BATCH, measure_jpeg_files
from simclr_tf.benchmark.pretraining import measure_pretraining
from simclr_tf.benchmark.timing import Measured
from simclr_tf.data import Source
from tools.benchmark import peers

_PUBLISHED = "published way"
# Kinder than what was published: no image is blurred in vain.
_WHERE_DRAWN = "published way, blur where drawn"
# The published form takes some 16 bytes for each pair of views, and more.
_PUBLISHED_LOSS = loss.OtherLoss("tools.benchmark.peer_loss", 16384)


def measures() -> dict[str, Callable[[Source, int], Iterator[list[Measured]]]]:
    """The parts of `simclr benchmark`, each with peers beside it."""
    bare = functools.partial(_bare_step, "bare Keras, SGD")
    bare_beside_pretraining = functools.partial(_bare_step, "bare Keras step")
    losses = {"published form": _PUBLISHED_LOSS}
    return {
        **PARTS,
        "views": functools.partial(views.measure_views, others=_views),
        "jpeg_files": functools.partial(measure_jpeg_files, others=_jpeg_views),
        "step": lambda source, n: step.measure_steps(n, bare),
        "pretrain": functools.partial(
            measure_pretraining, others=bare_beside_pretraining
        ),
        "loss": lambda source, n: loss.measure_losses(n, others=losses),
        "growth": lambda source, n: itertools.chain(
            views.measure_growth(source, n), step.measure_growth(n, bare)
        ),
    }


def _views(job: views.ViewsJob, images: tf.Tensor) -> dict[str, tf.data.Dataset]:
    if job is views.BLUR:
        unit = to_unit_range(images)
        return {
            _PUBLISHED: _batch_blurred(views.mapped(unit, views.twice(tf.identity))),
            _WHERE_DRAWN: _single(unit, peers.published_blur(job.size)),
        }
    plain = _single(images, peers.published_view(job.size, job.strength, blur=False))
    if not job.blur:
        return {_PUBLISHED: plain}
    drawn = peers.published_view(job.size, job.strength, blur=True)
    return {_PUBLISHED: _batch_blurred(plain), _WHERE_DRAWN: _single(images, drawn)}


def _single(
    images: tf.Tensor, view: Callable[[tf.Tensor], tf.Tensor]
) -> tf.data.Dataset:
    data = tf.data.Dataset.from_tensor_slices(images).repeat()
    data = data.map(
        lambda image: tf.stack([view(image), view(image)]),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    return data.batch(images.shape[0], drop_remainder=True)


def _batch_blurred(data: tf.data.Dataset) -> tf.data.Dataset:
    return data.map(peers.published_batch_blur, num_parallel_calls=tf.data.AUTOTUNE)


def _jpeg_views(size: int, files: Sequence[str]) -> dict[str, tf.data.Dataset]:
    large = size > 32
    strength = 1.0 if large else 0.5
    view = peers.published_view(size, strength, blur=large)
    cropped = peers.published_view_of_jpeg(size, strength, blur=large)

    def both_of_one(contents: tf.Tensor) -> tf.Tensor:
        image = tf.io.decode_jpeg(contents, channels=3)
        return tf.stack([view(image), view(image)])

    return {
        _PUBLISHED: _one_by_one(files, both_of_one),
        f"{_PUBLISHED}, decoding each crop": _one_by_one(
            files, lambda contents: tf.stack([cropped(contents), cropped(contents)])
        ),
    }


def _one_by_one(
    files: Sequence[str], both: Callable[[tf.Tensor], tf.Tensor]
) -> tf.data.Dataset:
    data = tf.data.Dataset.from_tensor_slices(list(files)).repeat()
    data = data.map(
        lambda file: both(tf.io.read_file(file)), num_parallel_calls=tf.data.AUTOTUNE
    )
    return data.batch(BATCH, drop_remainder=True).prefetch(2)


def _bare_step(
    name: str, pairs: tf.Tensor, width: float
) -> dict[str, Callable[[], object]]:
    return {name: peers.bare_step(pairs, width)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line and measures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", default=",".join(PARTS), help="separated by commas")
    parser.add_argument("--dataset", default="shapes")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", default="benchmark.json")
    flags = parser.parse_args(arguments)
    benchmark(
        [part for part in flags.parts.split(",") if part],
        measures=measures(),
        dataset=flags.dataset,
        repeats=flags.repeats,
        output=flags.output,
    )


if __name__ == "__main__":
    main()
