"""What each layer of an augmentation does by itself."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation.base import StatelessAugmentation, image_sizes
from simclr_tf.augmentation.simclr_augmenter import SimCLRAugmenter

# A layer is drawn again where it leaves an image as it is, so often: one that changes
# a tenth of the images is then missed once in 800 times.
_TRIES = 64
# Differences that nobody sees, in [0, 1].
_UNSEEN = 2 / 255


class LayerAlone(NamedTuple):
    """A layer's views of some images.

    Attributes:
      name: of the layer, such as "color jitter".
      views: floating point in [0, 1] `[N, h, w, C]`.
      drawn: what was drawn for each image, in words; see
        `StatelessAugmentation.describe`.
    """

    name: str
    views: np.ndarray
    drawn: list[str]


def layers_alone(
    augmenter: SimCLRAugmenter, images: np.ndarray, larger: np.ndarray, *, seed: int
) -> list[LayerAlone]:
    """Views of images by each layer alone, in the layers' order.

    Each image's draw is the first of several that changes it. Where none of 64 does,
    the image stays and the words say so.

    Args:
      augmenter: whose layers they are; those that it leaves out for images of such
        channels are left out.
      images: floating point in [0, 1] `[N, h, w, C]`, of the views' size.
      larger: the same `[N, H, W, C]` of a size from which crops have the pixels that
        they will have in training.
      seed: of the draws.
    """
    crop, *others = augmenter.keyed_layers().values()
    taken = [each for each in others if augmenter.takes(each, images.shape[-1])]
    dtype = augmenter.compute_dtype
    larger, images = (tf.convert_to_tensor(some, dtype) for some in (larger, images))
    return [
        _alone(crop, larger, seed),
        *(_alone(layer, images, seed) for layer in taken),
    ]


def _alone(layer: StatelessAugmentation, images: tf.Tensor, seed: int) -> LayerAlone:
    indices = tf.range(len(images), dtype=tf.int64)
    shape = tuple(images.shape[1:])
    pictures: list[np.ndarray] = list(images.numpy())
    words = [f"changes nothing in {_TRIES} draws"] * len(images)
    left = set(range(len(images)))
    for attempt in range(_TRIES):
        seeds = randomness.example_seeds(seed, attempt, indices)
        drawn = layer.sample(seeds, image_sizes(images))
        views = layer.augment_images(images, drawn).numpy()
        views = np.clip(views, 0.0, 1.0)
        drawn = {name: value.numpy() for name, value in drawn.items()}
        for k in sorted(left):
            if _changes(images[k].numpy(), views[k]):
                left.remove(k)
                row = {name: value[k] for name, value in drawn.items()}
                pictures[k], words[k] = views[k], layer.describe(row, shape)
        if not left:
            break
    return LayerAlone(_name(layer), np.stack(pictures), words)


def _changes(image: np.ndarray, view: np.ndarray) -> bool:
    return image.shape != view.shape or bool(np.abs(image - view).max() > _UNSEEN)


def _name(layer: StatelessAugmentation) -> str:
    """`RandomColorJitter` to "color jitter"."""
    name = type(layer).__name__.lstrip("_").removeprefix("Random")
    return re.sub(r"(?<!^)(?=[A-Z])", " ", name).lower()
