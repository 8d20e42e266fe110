"""A training step: ours with all it does, and bare Keras with as little as can be."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import tensorflow as tf

from simclr_tf.benchmark import peers
from simclr_tf.benchmark.timing import Contender, Measured, measure
from simclr_tf.encoder import make_encoder
from simclr_tf.head import ProjectionHead
from simclr_tf.model import SimCLR
from simclr_tf.optimizer import LARS
from simclr_tf.training.precision import has_fast_bfloat16, policy

_IMAGES = 64
# Images a step, and the side of their views, with a ResNet-18 of a quarter's width.
_GROWTH = ((16, 32), (64, 32), (256, 32), (1024, 32), (64, 64), (64, 96))


def precisions() -> tuple[str, ...]:
    """float32, and bfloat16 where the machine gains by it; others take minutes."""
    return ("float32", "bfloat16") if has_fast_bfloat16() else ("float32",)


def measure_steps(repeats: int) -> Iterator[list[Measured]]:
    """Steps of a ResNet-18 on 128 views of 32 px, in each of `precisions`."""
    for precision in precisions():
        yield _measure(1.0, _IMAGES, 32, precision, repeats)


def measure_growth(repeats: int) -> Iterator[list[Measured]]:
    """Steps of a ResNet-18 of a quarter's width, by batch and by side."""
    for images, side in _GROWTH:
        yield _measure(0.25, images, side, "float32", repeats)


def _measure(
    width: float, images: int, side: int, precision: str, repeats: int
) -> list[Measured]:
    views = tf.random.stateless_uniform([images, 2, side, side, 3], [1, 2])
    with policy(precision):
        ours, bare = _our_step(views, width), bare_step(views, width)
    contenders = [
        Contender("simclr_tf, LARS and metrics", lambda: ours, images),
        Contender("bare Keras, SGD", lambda: bare, images),
    ]
    encoder = "ResNet-18" if width == 1.0 else f"ResNet-18 x {width:g}"
    job = f"{encoder}, {2 * images} views of {side} px, {precision}"
    return measure(job, contenders, repeats)


def _our_step(views: tf.Tensor, width: float) -> Callable[[], None]:
    encoder = make_encoder(f"resnet18x{width:g}", image_size=32)
    model = SimCLR(encoder, ProjectionHead(num_layers=2))
    model.build((None, *views.shape[2:]))
    model.compile(LARS(0.1, weight_decay=1e-6))
    model.optimizer.build(model.trainable_variables)
    learn = tf.function(model.learn)
    return lambda: learn({"views": views})


def bare_step(views: tf.Tensor, width: float = 1.0) -> Callable[[], None]:
    """A step of a ResNet-18 of Keras' own layers, with the published loss and SGD.

    Args:
      views: floating point `[B, 2, h, w, 3]`.
      width: factor of all channel counts.
    """
    model = peers.bare_resnet18(width)
    optimizer = tf.keras.optimizers.SGD(0.1, momentum=0.9)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step() -> None:
        images = tf.concat([views[:, 0], views[:, 1]], axis=0)
        with tf.GradientTape() as tape:
            z_a, z_b = tf.split(model(images, training=True), 2)
            loss = peers.published_loss(z_a, z_b)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))

    return step
