"""Ten silhouettes drawn on the fly: a dataset that needs no file.

The class of an image is the outline of its one large figure. Everything else is
drawn independently of the class: whether the figure is lighter or darker than the
ground, the colours and textures of both, the figure's position, size, rotation and
stretch, and small blobs on the ground. So neither pixels nor colours reveal the class,
but an encoder that learned to ignore crops, flips and colours keeps it. Lengths are
fractions of the image's side and coordinates run from -0.5 to 0.5, so that an image
shows the same picture at any size.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from simclr_tf.data.source import DataError, Source
from simclr_tf.randomness import example_seeds, uniform

CLASS_NAMES = (
    "disc",
    "ring",
    "square",
    "triangle",
    "cross",
    "star",
    "crescent",
    "heart",
    "arrow",
    "bow tie",
)
NUM_TRAIN = 10_000
NUM_TEST = 2_000
IMAGE_SIZE = 32  # pixels, where the caller names no size
MIN_IMAGE_SIZE = 8  # pixels

# Difficulty. Lengths are fractions of the side; luminance is 0 for black, 1 for white.
DIAMETER = (0.45, 0.90)  # of the figure's circumscribed circle
OVERHANG = 0.04  # how far that circle may extend beyond the image's edge
STRETCH = 0.12  # largest log of the ratio by which the figure's axes are stretched
LUMINANCE = (0.08, 0.92)  # of figure or ground before texture
LUMINANCE_GAP = (0.32, 0.60)  # between figure and ground before texture
CHROMA = 0.22  # largest distance from grey, per colour axis
FIGURE_TEXTURE = 0.10  # largest amplitude of luminance
FIGURE_PERIOD = (0.10, 0.30)  # of stripes, checks, dots and blotches
GROUND_GRADIENT = 0.08  # largest change of luminance from the middle to an edge
GROUND_TEXTURE = 0.06  # largest amplitude of luminance
GROUND_PERIOD = (0.25, 0.80)
BLOBS = 2  # greatest number of blobs behind the figure; there is at least one
BLOB_RADIUS = (0.03, 0.07)
BLOB_LUMINANCE = 0.22  # largest difference of a blob from the ground

_SEEDS = {"train": 0x5EED, "test": 0x7E57}
# The random streams, one for each nuisance factor.
_POSE, _PALETTE, _FIGURE, _GROUND, _BLOB = range(5)
_LUMA = (0.299, 0.587, 0.114)
# Two colour axes, red-green and blue-yellow, that do not change the luminance.
_COLOUR_AXES = ((0.587, -0.299, 0.0), (-0.114, -0.114, 0.886))


def _silhouettes(x: tf.Tensor, y: tf.Tensor) -> list[tf.Tensor]:
    """Signed distances to the ten outlines, each within the unit circle.

    All are symmetric about the y axis, so that a flipped image keeps its class.
    They are exact near the sides of an outline, and are used only there.
    """
    a, b = tf.abs(x), tf.abs(y)
    radius = tf.sqrt(x * x + y * y)
    slope = math.sqrt(0.5)

    disc = radius - 0.86
    ring = tf.abs(radius - 0.70) - 0.22
    square = tf.maximum(a, b) - 0.74
    triangle = tf.maximum(0.75**0.5 * a + 0.5 * y, -y) - 0.5
    cross = tf.maximum(tf.maximum(a, b) - 0.94, tf.minimum(a, b) - 0.29)
    star = _star(a, y, points=5, inner=0.42)
    crescent = tf.maximum(radius - 0.94, 0.74 - _distance(a, y - 0.46))
    side, lobe = 0.53, 0.53 * slope
    lifted = y + 0.08
    heart = tf.minimum(
        slope * (a + tf.abs(lifted)) - side, _distance(a - lobe, lifted - lobe) - side
    )
    head = tf.maximum(slope * (a + y - 0.95), 0.15 - y)
    shaft = tf.maximum(a - 0.22, tf.abs(y + 0.35) - 0.60)
    arrow = tf.minimum(head, shaft)
    bow_tie = tf.maximum(a - 0.82, (b - 0.80 * a - 0.06) / math.hypot(1.0, 0.80))
    return [
        disc,
        ring,
        square,
        triangle,
        cross,
        star,
        crescent,
        heart,
        arrow,
        bow_tie,
    ]


def _distance(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    return tf.sqrt(x * x + y * y)


def _star(a: tf.Tensor, y: tf.Tensor, points: int, inner: float) -> tf.Tensor:
    """A star with a tip at (0, 1); `a` is |x|.

    Reflections in the lines between the tips map every point into the wedge of the
    upper tip, where the outline is one straight side.
    """
    for turn in range(points // 2, 0, -1):
        angle = (2 * turn - 1) * math.pi / points
        normal_x, normal_y = math.cos(angle), -math.sin(angle)
        over = 2.0 * tf.maximum(normal_x * a + normal_y * y, 0.0)
        a, y = tf.abs(a - over * normal_x), y - over * normal_y
    notch_x = inner * math.sin(math.pi / points)
    notch_y = inner * math.cos(math.pi / points)
    length = math.hypot(notch_x, 1.0 - notch_y)
    return ((1.0 - notch_y) * a + notch_x * (y - 1.0)) / length


def _between(u: tf.Tensor, low: float, high: float) -> tf.Tensor:
    return low + (high - low) * u


def _pixel(u: tf.Tensor) -> tf.Tensor:
    """`[B]` as `[B, 1, 1]`: one number for all pixels of an image."""
    return u[:, None, None]


def _wave(axis: tf.Tensor, fx: tf.Tensor, fy: tf.Tensor, phase: tf.Tensor) -> tf.Tensor:
    """cos(fx x + fy y + phase), from sines along the axes only."""
    along_x = (fx[:, None] * axis + phase[:, None])[:, None, :]
    along_y = (fy[:, None] * axis)[:, :, None]
    return tf.cos(along_x) * tf.cos(along_y) - tf.sin(along_x) * tf.sin(along_y)


def _crossed_waves(
    axis: tf.Tensor, u: tf.Tensor, period: tuple[float, float]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Two waves at right angles; `u` is uniform `[B, 4]`."""
    low, high = period
    frequency = 2.0 * math.pi / (low * tf.exp(math.log(high / low) * u[:, 0]))
    angle = 2.0 * math.pi * u[:, 1]
    fx, fy = frequency * tf.cos(angle), frequency * tf.sin(angle)
    first = _wave(axis, fx, fy, 2.0 * math.pi * u[:, 2])
    second = _wave(axis, -fy, fx, 2.0 * math.pi * u[:, 3])
    return first, second


def _coverage(
    axis: tf.Tensor, seeds: tf.Tensor, label: tf.Tensor, size: int
) -> tf.Tensor:
    """The share of each pixel that the figure covers, `[B, S, S]` in [0, 1]."""
    u = uniform(seeds, _POSE, 5)
    radius = 0.5 * _between(u[:, 0], *DIAMETER)
    reach = 0.5 + OVERHANG - radius
    middle_x, middle_y = reach * (2.0 * u[:, 1] - 1.0), reach * (2.0 * u[:, 2] - 1.0)
    angle = 2.0 * math.pi * u[:, 3]
    stretch = tf.exp(0.5 * STRETCH * (2.0 * u[:, 4] - 1.0))
    cos, sin = tf.cos(angle) / radius, tf.sin(angle) / radius
    x = axis - middle_x[:, None]
    y = axis - middle_y[:, None]
    x, y = x[:, None, :], y[:, :, None]
    across = _pixel(stretch) * (_pixel(cos) * x + _pixel(sin) * y)
    along = (_pixel(cos) * y - _pixel(sin) * x) / _pixel(stretch)
    distances = _silhouettes(across, along)
    distance = distances[0]
    for number, other in enumerate(distances[1:], start=1):
        distance = tf.where(_pixel(label) == number, other, distance)
    return tf.clip_by_value(0.5 - distance * _pixel(radius) * size, 0.0, 1.0)


def _figure_texture(axis: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
    """Change of luminance over the figure, `[B, S, S]`."""
    u = uniform(seeds, _FIGURE, 10)
    first, second = _crossed_waves(axis, u[:, :4], FIGURE_PERIOD)
    third, fourth = _crossed_waves(axis, u[:, 4:8], FIGURE_PERIOD)
    stripes = tf.clip_by_value(3.0 * first, -1.0, 1.0)
    checks = tf.clip_by_value(4.0 * first * second, -1.0, 1.0)
    dots = tf.clip_by_value(2.0 * (first + second) - 1.0, -1.0, 1.0)
    blotches = 0.4 * (first + second + third + fourth)
    kind, amplitude = _pixel(u[:, 8]), _pixel(u[:, 9])
    texture = tf.where(kind < 0.25, stripes, checks)
    texture = tf.where(kind < 0.5, texture, dots)
    texture = tf.where(kind < 0.75, texture, blotches)
    return FIGURE_TEXTURE * amplitude * texture


def _ground_texture(axis: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
    """Change of luminance over the ground, `[B, S, S]`: gradient, waves, blobs."""
    u = uniform(seeds, _GROUND, 7)
    angle = 2.0 * math.pi * u[:, 0]
    slope = 2.0 * GROUND_GRADIENT * u[:, 1]
    ground = _pixel(slope * tf.cos(angle)) * axis[None, None, :]
    ground += _pixel(slope * tf.sin(angle)) * axis[None, :, None]
    first, second = _crossed_waves(axis, u[:, 2:6], GROUND_PERIOD)
    ground += 0.5 * GROUND_TEXTURE * _pixel(u[:, 6]) * (first + second)

    blobs = tf.reshape(uniform(seeds, _BLOB, 5 * BLOBS), [-1, BLOBS, 5])
    for number in range(BLOBS):
        v = blobs[:, number]
        radius = _between(v[:, 2], *BLOB_RADIUS)[:, None]
        bell_x = tf.exp(-(((axis - v[:, 0, None] + 0.5) / radius) ** 2))
        bell_y = tf.exp(-(((axis - v[:, 1, None] + 0.5) / radius) ** 2))
        height = BLOB_LUMINANCE * (2.0 * v[:, 3] - 1.0)
        if number > 0:
            height = tf.where(v[:, 4] < 0.5, height, 0.0)
        ground += _pixel(height) * bell_y[:, :, None] * bell_x[:, None, :]
    return ground


def _flat_colours(seeds: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Colours `[B, 3]` of figure and ground, well apart in luminance."""
    u = uniform(seeds, _PALETTE, 7)
    gap = _between(u[:, 0], *LUMINANCE_GAP)
    low, high = LUMINANCE
    darker = low + (high - low - gap) * u[:, 1]
    lighter = darker + gap
    light_figure = u[:, 2] < 0.5
    axes = tf.constant(_COLOUR_AXES)
    chroma = CHROMA * (2.0 * u[:, 3:7] - 1.0)
    figure = tf.where(light_figure, lighter, darker)[:, None]
    ground = tf.where(light_figure, darker, lighter)[:, None]
    return figure + chroma[:, :2] @ axes, ground + chroma[:, 2:] @ axes


@tf.function(jit_compile=True, autograph=False)
def _draw(index: tf.Tensor, seed: int, size: int) -> tf.Tensor:
    seeds = example_seeds(seed, 0, index)
    label = tf.cast(index % len(CLASS_NAMES), tf.int32)
    axis = (tf.range(size, dtype=tf.float32) + 0.5) / size - 0.5
    coverage = _coverage(axis, seeds, label, size)[..., None]
    figure, ground = _flat_colours(seeds)
    figure = figure[:, None, None, :] + _figure_texture(axis, seeds)[..., None]
    ground = ground[:, None, None, :] + _ground_texture(axis, seeds)[..., None]
    image = ground + coverage * (figure - ground)
    return tf.cast(tf.clip_by_value(255.0 * image + 0.5, 0.0, 255.0), tf.uint8)


class _Shapes(Source):
    """Silhouettes that are drawn when they are read."""

    def __init__(
        self, spec: str, split: str, count: int, image_size: int, labels: bool
    ) -> None:
        super().__init__(
            spec=spec,
            split=split,
            image_shape=(image_size, image_size, 3),
            num_examples=count,
            num_classes=len(CLASS_NAMES) if labels else None,
            class_names=CLASS_NAMES if labels else None,
        )

    def identity(self) -> Iterable[str]:
        """See `Source`: split and side in pixels determine the images."""
        return (f"{_SEEDS[self.split]} {self.image_shape[0]}",)

    def labels(self) -> np.ndarray | None:
        """See `Source`."""
        if not self.num_classes:
            return None
        return np.arange(len(self), dtype=np.int32) % self.num_classes

    def read(self, indices: tf.data.Dataset) -> tf.data.Dataset:
        """See `Source`."""

        def draw(index: tf.Tensor) -> dict[str, tf.Tensor]:
            index = tf.cast(index, tf.int64)
            images = _draw(index, _SEEDS[self.split], self.image_shape[0])
            batch = {"image": images, "index": index}
            if self.num_classes:
                batch["label"] = tf.cast(index % self.num_classes, tf.int32)
            return batch

        return indices.map(draw, num_parallel_calls=tf.data.AUTOTUNE)


def load_shapes(
    argument: str, split: str, image_size: int | None, labels: bool
) -> Source:
    """The embedded dataset of ten silhouettes.

    An image is a function of the split, its index and the size: it is the same
    whenever it is drawn, alone or with others. Its class is its index modulo ten.

    Args:
      argument: the number of training images, "" for 10,000; a larger number adds
        images after the same first ones. There are always 2,000 test images.
      split: "train" or "test".
      image_size: side of the images in pixels, at least 8; None for 32.
      labels: whether batches hold the classes.

    Returns:
      A source with random access.

    Raises:
      DataError: where the argument is not a positive integer, the split is neither
        "train" nor "test", or the size is too small.
    """
    spec = f"shapes:{argument}" if argument else "shapes"
    if argument and not (argument.isdecimal() and int(argument) > 0):
        raise DataError(
            f"{spec!r} asks for {argument!r} training images. Use shapes, or "
            "shapes:COUNT with a positive integer such as shapes:2000."
        )
    if split not in _SEEDS:
        raise DataError(f"{spec!r} has no split {split!r}. Use 'train' or 'test'.")
    if image_size is None:
        image_size = IMAGE_SIZE
    if image_size < MIN_IMAGE_SIZE:
        raise DataError(
            f"image_size={image_size} is too small to tell shapes apart. "
            f"Use at least {MIN_IMAGE_SIZE} pixels."
        )
    train = int(argument) if argument else NUM_TRAIN
    count = train if split == "train" else NUM_TEST
    return _Shapes(spec, split, count, image_size, labels)
