"""Defaults that follow from the images: how many they are, and how large.

Three columns of settings, each with what it rests on:

| images                            | settings       | measured in           |
|-----------------------------------|----------------|-----------------------|
| up to 32 px                       | `SMALL_VIEWS`  | experiments/cifar10   |
| larger, fewer than 76,800         | `PHOTOGRAPHS`  | experiments/caltech101|
| larger, 76,800 or more, or number | `PAPER`        | the paper, ImageNet   |
| unknown                           |                |                       |

And two rules: `batch_size`, and `epochs`, which sees to it that enough steps are taken.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from simclr_tf.errors import UserError

# Side of views, in pixels, up to which the settings of experiments/cifar10 hold.
SMALL = 32
# The paper's settings take 300 steps of 256 images and more in each epoch. Fewer steps
# are a warm-up that hardly begins: 589 photographs in batches of 256, two steps an
# epoch, learned nothing in 100 epochs, with a loss no better than that of guessing.
ENOUGH_FOR_PAPER = 300 * 256
# From so many images a batch of 128, that of experiments/cifar10; below it 64, that of
# experiments/caltech101.
ENOUGH_FOR_128 = 10_000
# Below this a batch of an eighth of the images holds fewer than four of them: too few
# to compare, and for batch norm.
LEAST_IMAGES = 32
# The steps that experiments/caltech101 takes: 100 epochs of 14.
LEAST_STEPS = 1_400
LEAST_EPOCHS = 100


# Shorter side of images, in pixels, up to which views are as large.
KEPT_SIZE = 64
# Side of views, in pixels, of images that are larger and fewer than ENOUGH_FOR_PAPER;
# and of more, as in the paper.
PHOTOGRAPH_SIZE, PAPER_SIZE = 96, 224


class Settings(NamedTuple):
    """One column of defaults; `Recipe` says what each of them means.

    Attributes:
      source: where they were measured.
      fast_precision: whether layers compute in bfloat16 where that is fast.
    """

    source: str
    encoder: str
    head_layers: int
    color_strength: float
    blur: bool
    crop_min_area: float
    early_share: float
    temperature: float
    optimizer: str
    learning_rate: float
    weight_decay: float
    batch_size: int
    fast_precision: bool


SMALL_VIEWS = Settings(
    source="experiments/cifar10",
    encoder="resnet18x0.25",
    head_layers=2,
    color_strength=0.5,
    blur=False,
    crop_min_area=0.2,
    early_share=0.75,
    temperature=0.2,
    optimizer="sgd",
    learning_rate=0.7,
    weight_decay=5e-4,
    batch_size=128,
    fast_precision=True,
)
PHOTOGRAPHS = Settings(
    source="experiments/caltech101",
    encoder="resnet18x0.5",
    head_layers=2,
    color_strength=0.5,
    blur=True,
    crop_min_area=0.08,
    early_share=0.0,
    temperature=0.2,
    optimizer="sgd",
    learning_rate=0.7,
    weight_decay=5e-4,
    batch_size=64,
    fast_precision=True,
)
PAPER = Settings(
    source="the paper's experiments on ImageNet",
    encoder="resnet50",
    head_layers=3,
    color_strength=1.0,
    blur=True,
    crop_min_area=0.08,
    early_share=0.0,
    temperature=0.1,
    optimizer="lars",
    learning_rate=0.3,
    weight_decay=1e-6,
    batch_size=256,
    fast_precision=False,
)


def image_size(images: int | None, native: int | None) -> int:
    """Side of the views in pixels: the images' own up to 64, else up to 96, or 224.

    Args:
      images: how many there are; None where that is not known, and then 224.
      native: shorter side of the images; None where that is not known.
    """
    if native and native <= KEPT_SIZE:
        return native
    if images is None or images >= ENOUGH_FOR_PAPER:
        return PAPER_SIZE
    # Multiples of 16, the side of a vision transformer's patches.
    return min(PHOTOGRAPH_SIZE, native - native % 16 if native else PHOTOGRAPH_SIZE)


def settings_for(images: int | None, size: int) -> Settings:
    """The column of a number of images whose views are `size` pixels wide.

    Args:
      images: None where the number is not known; then as if there were many.
      size: side of the views.
    """
    if size <= SMALL:
        return SMALL_VIEWS
    if images is None or images >= ENOUGH_FOR_PAPER:
        return PAPER
    if images >= ENOUGH_FOR_128:
        return PHOTOGRAPHS._replace(batch_size=128)
    return PHOTOGRAPHS


def batch_size(images: int | None, wanted: int, parts: int = 1) -> int:
    """Images a step: at most `wanted`, and at most an eighth of them all.

    An eighth, so that an epoch has eight steps or more, and leaves out less than an
    eighth of the images. Among batches of three quarters of that or more it is the one
    that leaves out the fewest images, unless the largest leaves out one in twenty at
    most. Batches of 8 or more are multiples of 8, so that 1, 2, 4 and 8 replicas come
    to the same one.

    Args:
      images: that there are; None where the number is not known.
      wanted: the batch where there are images enough for it.
      parts: replicas and micro-batches that share a batch equally.

    Returns:
      A multiple of `parts`, 2 at least.
    """
    most = wanted if images is None else min(wanted, images // 8)
    unit = math.lcm(8, parts) if most >= math.lcm(8, parts) else parts
    largest = max(most - most % unit, unit, 2)
    if images is None or largest < 8 or images % largest <= images / 20:
        return largest
    sizes = range(largest, max(3 * largest // 4, 2) - 1, -unit)
    return min(sizes, key=lambda size: images % size)


def epochs(images: int | None, batch: int) -> int:
    """Passes over the images: 100, and more where those take fewer than 1,400 steps.

    Below some number of steps nothing is learned, however often the images are seen:
    see `ENOUGH_FOR_PAPER` for a run of 200 steps, and experiments/caltech101 for one of
    1,400 on 927 photographs. More images take more steps, as they have more to teach:
    100 epochs, as in the paper's shortest runs.
    """
    if images is None:
        return LEAST_EPOCHS
    return max(LEAST_EPOCHS, math.ceil(LEAST_STEPS / max(images // batch, 1)))


def require_enough_images(images: int, where: str) -> None:
    """Raises UserError where no batch of a sensible size can be chosen."""
    if images < LEAST_IMAGES:
        raise UserError(
            f"{where} holds {images:,} images to learn from, and a batch should be no "
            f"more than an eighth of them: give {LEAST_IMAGES} or more, or say a batch "
            "with --batch_size."
        )
