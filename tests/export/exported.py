"""A small model, images for it, and what its export has to answer."""

import numpy as np
import tensorflow as tf

from simclr_tf.augmentation import evaluation_view
from simclr_tf.model import SimCLR

SIDE = 40
SIZES = [(40, 40), (61, 47), (24, 90)]


def small_model(**arguments):
    layers = tf.keras.layers
    encoder = tf.keras.Sequential(
        [
            layers.Conv2D(8, 3, strides=2, use_bias=False, input_shape=(None, None, 3)),
            layers.BatchNormalization(),
            # Has a custom gradient.
            layers.Activation("swish"),
            layers.Conv2D(16, 3, strides=2),
            layers.Dropout(0.2),
        ]
    )
    head = tf.keras.Sequential(
        [layers.Dense(16), layers.BatchNormalization(), layers.Dense(5)]
    )
    model = SimCLR(encoder, head, **arguments)
    model.build([None, SIDE, SIDE, 3])
    for _ in range(3):
        h = model(tf.random.uniform([16, SIDE, SIDE, 3]), training=True)
        model.projection_head(h, training=True)
    return model


def photographs(height, width, count=3, seed=0):
    """Smooth uint8 images, for JPEG to have something to compress."""
    coarse = np.random.default_rng(seed).random([count, 6, 6, 3])
    smooth = tf.image.resize(coarse, [height, width], method="bicubic")
    return tf.image.convert_image_dtype(smooth, tf.uint8, saturate=True)


def expected(model, images, image_size):
    views = evaluation_view(images, image_size) if image_size else images
    h = model(views, training=False)
    z = model.projection_head(h, training=False)
    return {"features": h, "projection": tf.cast(z, h.dtype)}


def assert_answers(got, want, atol=1e-5):
    assert set(got) == {"features", "projection"}
    for name, value in got.items():
        np.testing.assert_allclose(value, want[name], rtol=0, atol=atol)


def dtypes_of(loaded, signature):
    """All dtypes in the graphs that a signature of a SavedModel calls."""
    graph = loaded.signatures[signature].graph.as_graph_def()
    nodes = [*graph.node]
    for inner in graph.library.function:
        nodes += inner.node_def
    return {
        tf.as_dtype(dtype)
        for node in nodes
        for attribute in node.attr.values()
        for dtype in [attribute.type, *attribute.list.type]
        if dtype
    }


def learned(model):
    """The model with variables as training leaves them: none is what it began as."""
    draws = np.random.default_rng(0)
    for variable in model.variables:
        drawn = draws.normal(size=variable.shape) * 0.2
        value = variable.numpy()
        if "variance" in variable.name:
            value = np.exp(drawn)
        elif variable.shape.rank == 1:
            value = value + drawn
        variable.assign(value.astype(np.float32))
    return model
