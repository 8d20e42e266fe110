"""A training step, with all that it does."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping

import tensorflow as tf

from simclr_tf.benchmark.timing import Contender, Measured, measure
from simclr_tf.encoder import make_encoder
from simclr_tf.head import ProjectionHead
from simclr_tf.model import SimCLR
from simclr_tf.optimizer import LARS
from simclr_tf.training.precision import has_fast_bfloat16, policy

# Takes views `[B, 2, h, w, 3]` and the width of a ResNet-18; returns further
# contenders: by name, functions that take a training step on these views.
OtherSteps = Callable[[tf.Tensor, float], Mapping[str, Callable[[], object]]]

_IMAGES = 64
# (images in a step, side of their views) for a ResNet-18 of a quarter of the width.
_GROWTH = ((16, 32), (64, 32), (256, 32), (1024, 32), (64, 64), (64, 96))


def precisions() -> tuple[str, ...]:
    """float32, and bfloat16 only where it is fast: elsewhere a step takes minutes."""
    return ("float32", "bfloat16") if has_fast_bfloat16() else ("float32",)


def _none(views: tf.Tensor, width: float) -> dict[str, Callable[[], object]]:
    return {}


def measure_steps(repeats: int, others: OtherSteps = _none) -> Iterator[list[Measured]]:
    """Steps of a ResNet-18 on 128 views of 32 px, in each of `precisions`."""
    for precision in precisions():
        yield _measure(1.0, _IMAGES, 32, precision, repeats, others)


def measure_growth(
    repeats: int, others: OtherSteps = _none
) -> Iterator[list[Measured]]:
    """Steps of a ResNet-18 of a quarter of the width, by batch and by side."""
    for images, side in _GROWTH:
        yield _measure(0.25, images, side, "float32", repeats, others)


def _measure(
    width: float,
    images: int,
    side: int,
    precision: str,
    repeats: int,
    others: OtherSteps,
) -> list[Measured]:
    views = tf.random.stateless_uniform([images, 2, side, side, 3], [1, 2])
    with policy(precision):
        steps: dict[str, Callable[[], object]] = {
            "simclr_tf, LARS and metrics": _our_step(views, width),
            **others(views, width),
        }
    contenders = [
        Contender(who, functools.partial(_same, step), images)
        for who, step in steps.items()
    ]
    encoder = "ResNet-18" if width == 1.0 else f"ResNet-18 x {width:g}"
    job = f"{encoder}, {2 * images} views of {side} px, {precision}"
    return measure(job, contenders, repeats)


def _same(step: Callable[[], object]) -> Callable[[], object]:
    return step


def _our_step(views: tf.Tensor, width: float) -> Callable[[], None]:
    encoder = make_encoder(f"resnet18x{width:g}", image_size=32)
    model = SimCLR(encoder, ProjectionHead(num_layers=2))
    model.build((None, *views.shape[2:]))
    model.compile(LARS(0.1, weight_decay=1e-6))
    model.optimizer.build(model.trainable_variables)
    learn = tf.function(model.learn)
    return lambda: learn({"views": views})
