"""The memory of a training step, and the time that it costs to save some of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence

import tensorflow as tf

from simclr_tf.benchmark.process import measure_apart, time_and_peak
from simclr_tf.benchmark.timing import Measured
from simclr_tf.encoder import make_encoder
from simclr_tf.head import ProjectionHead
from simclr_tf.model import SimCLR
from simclr_tf.optimizer import LARS

_IMAGES = 256
# Ways to save memory in a step: (rematerialize, micro_batches).
_WAYS = {
    "all at once": (False, 1),
    "rematerialize": (True, 1),
    "micro_batches=4": (False, 4),
    "micro_batches=16": (False, 16),
    "rematerialize, micro_batches=4": (True, 4),
    "rematerialize, micro_batches=16": (True, 16),
}


def measure_memory(
    repeats: int, ways: Sequence[str] = tuple(_WAYS), images: int = _IMAGES
) -> Iterator[list[Measured]]:
    """Seconds and memory of a ResNet-18's step, for each way to save memory."""
    rows = []
    job = f"step of ResNet-18, {2 * images} views of 32 px, float32"
    for who in ways:
        figures = measure_apart(__name__, who, images, repeats)
        rate = images / figures["seconds"]
        rows.append(Measured(job, who, images_per_second=rate, **figures))
    yield rows


def _in_this_process(who: str, images: int, repeats: int) -> dict[str, float]:
    rematerialize, micro_batches = _WAYS[who]
    model = SimCLR(
        make_encoder("resnet18", image_size=32, rematerialize=rematerialize),
        ProjectionHead(num_layers=2),
        micro_batches=micro_batches,
    )
    model.build((None, 32, 32, 3))
    model.compile(LARS(0.1))
    model.optimizer.build(model.trainable_variables)
    views = tf.random.stateless_uniform([images, 2, 32, 32, 3], [1, 2])
    learn = tf.function(model.learn)
    learn.get_concrete_function({"views": views})
    return time_and_peak(lambda: learn({"views": views}), repeats)


if __name__ == "__main__":
    print(json.dumps(_in_this_process(sys.argv[1], *map(int, sys.argv[2:]))))
