"""Views in a `tf.data` map of the user's own, by both forms, in turns.

python experiments/benchmark/in_a_map.py DATASET, such as folder:caltech101. What it
gave is in README.md beside this file. It takes a minute on two processors.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation import SimCLRAugmenter
from simclr_tf.benchmark.photos import photos
from simclr_tf.data import load

_SIZE, _SIDE, _IMAGES, _TURNS = 224, 256, 16, 3


def _mapped(images: tf.Tensor, views: Callable[..., tf.Tensor]) -> tf.data.Dataset:
    """A map that makes a batch when it is asked for one, and none in the background."""
    data = tf.data.Dataset.from_tensors(images).repeat().enumerate()
    index = tf.range(_IMAGES)
    options = tf.data.Options()
    options.experimental_optimization.map_parallelization = False
    options.experimental_optimization.inject_prefetch = False
    return data.map(
        lambda step, x: views(x, randomness.example_seeds(0, step, index))
    ).with_options(options)


def main(dataset: str) -> None:
    """Prints images a second, and a second of processor time, of each form."""
    images = photos(load(dataset, "train", labels=False), _IMAGES, _SIDE)
    two_views = SimCLRAugmenter(_SIZE).two_views
    # In a graph of its own `two_views` has the batched form.
    forms = {"image by image": (two_views, 8), "batched": (tf.function(two_views), 2)}
    batches = {name: iter(_mapped(images, views)) for name, (views, _) in forms.items()}
    for each in batches.values():
        next(each)
    for _ in range(_TURNS):
        for name, (_, count) in forms.items():
            wall, processor = time.perf_counter(), time.process_time()
            for _ in range(count):
                next(batches[name])
            wall = time.perf_counter() - wall
            processor = time.process_time() - processor
            made = _IMAGES * count
            print(
                f"{name:<16}{made / wall:>6.0f} images/s"
                f"{made / processor:>6.0f} per second of a processor",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1])
