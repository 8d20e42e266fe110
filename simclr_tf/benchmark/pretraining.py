"""A pretraining's steps beside bare ones: what input and the loop around cost."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from statistics import median

import numpy as np
import tensorflow as tf

from simclr_tf.benchmark.photos import photos
from simclr_tf.benchmark.step import bare_step, precisions
from simclr_tf.benchmark.timing import Measured, seconds_of
from simclr_tf.data import Source
from simclr_tf.training import Recipe, pretrain
from simclr_tf.training.precision import policy

_IMAGES = 64
_STEPS = 12
_ROUNDS = 3  # Each starts anew, which takes far longer than what is measured.


def measure_pretraining(source: Source, repeats: int) -> Iterator[list[Measured]]:
    """Images/s of `pretrain`, second epoch, and of a bare Keras step, in turns.

    What stands between two epochs, such as the saving of a state, is left out.

    Args:
      source: images to train on; some of them, at 32 px.
      repeats: rounds, three at most.
    """
    images = photos(source, _IMAGES * _STEPS, 32)
    for precision in precisions():
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "images.npz")
            np.savez(path, images=images)
            yield _measure(path, precision, min(repeats, _ROUNDS))


def _measure(path: str, precision: str, rounds: int) -> list[Measured]:
    views = tf.random.stateless_uniform([_IMAGES, 2, 32, 32, 3], [1, 2])
    with policy(precision):
        bare = bare_step(views)
    job = f"ResNet-18, 128 views of 32 px, {precision}"
    whole, alone = [], []
    for place in range(rounds):
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
        run = f"{path}.run{place}"
        result = pretrain(recipe, run, say=lambda line: None)
        whole.append(_IMAGES / result["images_per_second"])
        bare()
        alone.append(median(seconds_of(bare) for _ in range(_STEPS)))
    return [
        Measured(job, who, median(seconds), _IMAGES / median(seconds))
        for who, seconds in (("simclr pretrain", whole), ("bare Keras step", alone))
    ]
