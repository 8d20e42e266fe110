"""The speed of a whole pretraining, with its input and its loop around the step."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from statistics import median

import numpy as np
import tensorflow as tf

from simclr_tf.benchmark.photos import photos
from simclr_tf.benchmark.step import OtherSteps, precisions
from simclr_tf.benchmark.timing import Measured, seconds_of
from simclr_tf.data import Source
from simclr_tf.training import Recipe, pretrain
from simclr_tf.training.precision import policy

_IMAGES = 64
_STEPS = 12
_ROUNDS = 3  # Starting a pretraining takes far longer than its measured part.


def measure_pretraining(
    source: Source, repeats: int, others: OtherSteps = lambda views, width: {}
) -> Iterator[list[Measured]]:
    """Images/s of `pretrain` in its second epoch.

    The time between two epochs, when the state is saved, does not count.

    Args:
      source: it trains on images of this source, scaled to 32 px.
      repeats: rounds; at most three are run.
      others: training steps of others, measured in turns with it.
    """
    images = photos(source, _IMAGES * _STEPS, 32)
    for precision in precisions():
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "images.npz")
            np.savez(path, images=images)
            yield _measure(path, precision, min(repeats, _ROUNDS), others)


def _measure(
    path: str, precision: str, rounds: int, others: OtherSteps
) -> list[Measured]:
    views = tf.random.stateless_uniform([_IMAGES, 2, 32, 32, 3], [1, 2])
    with policy(precision):
        steps = others(views, 1.0)
    job = f"ResNet-18, 128 views of 32 px, {precision}"
    ours = "simclr pretrain"
    seconds: dict[str, list[float]] = {who: [] for who in (ours, *steps)}
    for number in range(rounds):
        recipe = Recipe(
            dataset=f"npz:{path}",
            image_size=32,
            encoder="resnet18",
            batch_size=_IMAGES,
            epochs=2,
            early_share=0.0,
            precision=precision,
            optimizer="lars",
            learning_rate=0.3,
            weight_decay=1e-6,
        )
        run = f"{path}.run{number}"
        result = pretrain(recipe, run, say=lambda line: None)
        seconds[ours].append(_IMAGES / result["images_per_second"])
        for who, step in steps.items():
            step()
            seconds[who].append(median(seconds_of(step) for _ in range(_STEPS)))
    return [
        Measured(job, who, median(each), _IMAGES / median(each))
        for who, each in seconds.items()
    ]
