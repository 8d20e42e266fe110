"""Floating-point operations that a training step needs, whatever runs it."""

from __future__ import annotations

import math

import tensorflow as tf

from simclr_tf.model import Learner
from simclr_tf.training import ResolvedRecipe


def model_flops(model: Learner, recipe: ResolvedRecipe) -> float:
    """Operations of a step's convolutions and matrix products, encoder and head.

    A multiplication and an addition count as two. A step takes each product three
    times: forwards, for the gradient of its input, and for that of its weights. Views,
    normalisation, loss and optimizer are not counted.

    Args:
      model: its layers are traced for one view.
      recipe: says the image size and the images of a step, of two views each.
    """

    @tf.function
    def project(image: tf.Tensor) -> tf.Tensor:
        return model.projection_head(model(image, training=False), training=False)

    size = recipe.image_size
    graph = project.get_concrete_function(
        tf.TensorSpec([1, size, size, 3], tf.keras.backend.floatx())
    ).graph
    forwards = sum(_flops(operation) for operation in graph.get_operations())
    return 3.0 * 2 * recipe.batch_size * forwards


def _flops(operation: tf.Operation) -> float:
    if operation.type == "Conv2D":
        height, width, channels, _ = operation.inputs[1].shape
        terms = height * width * channels
    elif operation.type == "MatMul":
        terms = operation.inputs[0].shape[-1]
    else:
        return 0.0
    return 2.0 * terms * math.prod(operation.outputs[0].shape)
