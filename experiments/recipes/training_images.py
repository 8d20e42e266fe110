"""Writes the training images of a dataset alone, so that no run sees its test images.

python experiments/recipes/training_images.py DATASET FILE.npz [IMAGE_SIZE]
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf

from simclr_tf.data import load


def main(dataset: str, path: str, image_size: str | None = None) -> None:
    """Writes `x_train` and `y_train` of a dataset whose images have one size."""
    size = None if image_size is None else int(image_size)
    source = load(dataset, "train", image_size=size)
    images, labels = [], []
    batches = source.read(tf.data.Dataset.range(len(source)).batch(500))
    for batch in batches.as_numpy_iterator():
        images.append(batch["image"])
        labels.append(batch["label"])
    np.savez(path, x_train=np.concatenate(images), y_train=np.concatenate(labels))


if __name__ == "__main__":
    main(*sys.argv[1:])
