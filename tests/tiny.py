"""The smallest encoder that has all parts: two convolutions and batch norm.

For tests of what surrounds an encoder (commands, resuming, workers, services): its
step is traced in a second where a ResNet-18 takes ten. In Python it is
`tiny.encoder()`, in a recipe or on the command line `encoder=tiny.NAME`.
"""

from __future__ import annotations

import tensorflow as tf

import simclr_tf

NAME = "tests.tiny:encoder"
DROPOUT_NAME = "tests.tiny:dropout_encoder"
COLLAPSING_NAME = "tests.tiny:collapsing_encoder"
FEATURES = 16


def encoder(image_size: int | None = None) -> tf.keras.Model:
    """Maps images `[B, H, W, 3]` of any size to features `[B, 16]`."""
    del image_size  # Any will do.
    return tf.keras.Sequential(
        [
            tf.keras.layers.Conv2D(8, 3, 2, padding="same", use_bias=False),
            simclr_tf.SyncBatchNormalization(momentum=0.9),
            tf.keras.layers.ReLU(),
            tf.keras.layers.Conv2D(FEATURES, 3, 2, padding="same"),
            tf.keras.layers.ReLU(),
            tf.keras.layers.GlobalAveragePooling2D(),
        ],
        name="encoder",
    )


def dropout_encoder(image_size: int | None = None) -> tf.keras.Model:
    """`encoder` that drops features at random in training, as EfficientNet does."""
    return tf.keras.Sequential(
        [*encoder(image_size).layers, tf.keras.layers.Dropout(0.3)], name="encoder"
    )


def collapsing_encoder(image_size: int | None = None) -> tf.keras.Model:
    """`encoder` of which weight decay leaves a constant: biases do not decay."""
    collapsing = encoder(image_size)
    collapsing.layers[3].bias_initializer = tf.keras.initializers.Ones()
    return collapsing
