"""A vision transformer in layers that Keras itself has.

Each head of attention has layers of its own: Keras' MultiHeadAttention is saved by
Keras 2 in a form that Keras 3 does not read.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from simclr_tf.encoder.vit import VisionTransformer


def stock_transformer(encoder: VisionTransformer, images: tf.Tensor) -> tf.Tensor:
    """Features `[B, width]` of Keras' symbolic images `[B, H, W, C]`."""
    layers = tf.keras.layers
    scaled = layers.Rescaling(2.0, -1.0, name="scaling")(images)
    patches = layers.Conv2D(
        encoder.width, encoder.patch_size, encoder.patch_size, name="patches"
    )
    tokens = _weighted(patches, scaled, encoder.patches.get_weights())
    count = tokens.shape[1] * tokens.shape[2]
    tokens = layers.Reshape([count, encoder.width])(tokens)
    tokens = _with_positions(encoder.tokens, tokens)
    for block in encoder.blocks:
        tokens = _block(block, tokens)
    first = layers.Flatten()(layers.Cropping1D((0, count))(tokens))
    return _layer_norm(encoder.norm, first)


def _with_positions(layer: Any, patches: tf.Tensor) -> tf.Tensor:
    """The class token before the patches, and positions added to all.

    The bias of a layer that multiplies by one holds both.
    """
    _, count, width = patches.shape
    tokens = tf.keras.layers.ZeroPadding1D((1, 0))(patches)
    bias = layer.position_embedding.numpy()[0].copy()
    bias[0] += layer.class_token.numpy()[0, 0]
    positions = tf.keras.layers.EinsumDense(
        "bnd,d->bnd", (count + 1, width), bias_axes="nd", name="positions"
    )
    return _weighted(positions, tokens, [np.ones([width], np.float32), bias])


def _block(block: Any, tokens: tf.Tensor) -> tf.Tensor:
    layers = tf.keras.layers
    attended = _attention(block, _layer_norm(block.norm_1, tokens))
    tokens = layers.Add()([tokens, attended])
    hidden = layers.Dense(4 * block.width, activation="gelu")
    inner = _layer_norm(block.norm_2, tokens)
    inner = _weighted(hidden, inner, block.hidden.get_weights())
    inner = _weighted(
        layers.Dense(block.width), inner, block.output_layer.get_weights()
    )
    return layers.Add()([tokens, inner])


def _attention(block: Any, tokens: tf.Tensor) -> tf.Tensor:
    layers = tf.keras.layers
    depth = block.width // block.heads
    kernel, bias = block.query_key_value.get_weights()
    kernel = kernel.reshape([block.width, 3, block.heads, depth])
    bias = bias.reshape([3, block.heads, depth])
    mixed = []
    for head in range(block.heads):
        query, key, value = (
            _weighted(
                layers.Dense(depth),
                tokens,
                # Scores are scaled by scaling queries.
                [
                    each * (depth**-0.5 if part == 0 else 1.0)
                    for each in (kernel[:, part, head], bias[part, head])
                ],
            )
            for part in range(3)
        )
        mixed.append(layers.Attention()([query, value, key]))
    joined = layers.Concatenate()(mixed) if len(mixed) > 1 else mixed[0]
    return _weighted(layers.Dense(block.width), joined, block.projection.get_weights())


def _layer_norm(layer: Any, inputs: tf.Tensor) -> tf.Tensor:
    stock = tf.keras.layers.LayerNormalization(epsilon=layer.epsilon)
    return _weighted(stock, inputs, layer.get_weights())


def _weighted(layer: Any, inputs: tf.Tensor, weights: list[np.ndarray]) -> tf.Tensor:
    outputs = layer(inputs)
    layer.set_weights(weights)
    return outputs
