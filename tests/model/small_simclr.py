"""A small SimCLR, and data for it in every form, for the tests of this room."""

import functools

import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation import SimCLRAugmenter
from simclr_tf.model import SimCLR
from tests import sample_images

SIZE = 16


def small_encoder(pooled=True):
    layers = [
        tf.keras.Input([None, None, 3]),
        tf.keras.layers.Conv2D(8, 3, strides=2, use_bias=False),
        tf.keras.layers.BatchNormalization(),
        tf.keras.layers.ReLU(),
        tf.keras.layers.Conv2D(12, 3),
    ]
    if pooled:
        layers.append(tf.keras.layers.GlobalAveragePooling2D())
    return tf.keras.Sequential(layers)


def small_head():
    return tf.keras.Sequential([tf.keras.Input([12]), tf.keras.layers.Dense(6)])


def small_model(pooled=True, **settings):
    tf.keras.utils.set_random_seed(0)
    # Colours and blur take their time to trace.
    augmenter = SimCLRAugmenter(SIZE, color_strength=0.0, blur=False)
    settings.setdefault("augmenter", augmenter)
    model = SimCLR(small_encoder(pooled), small_head(), **settings)
    model.build((None, SIZE, SIZE, 3))  # A step is traced once then, not twice.
    return model


_IMAGES = tf.constant(sample_images.images(16, 20)[0])


def some_images(count=16):
    return _IMAGES[:count]


LABELS = tf.range(16) % 4


@functools.lru_cache
def two_views():
    seeds = randomness.example_seeds(3, 0, tf.range(16))
    return SimCLRAugmenter(SIZE).two_views(some_images(), seeds)


def batch_of_views(labels=LABELS):
    """A data set of one batch: views made beforehand, since a step that makes them
    takes three times as long to trace."""
    data = {"views": two_views()}
    if labels is not None:
        data["label"] = labels
    return tf.data.Dataset.from_tensors(data)


METRICS = {"loss", "contrastive_loss", "contrastive_accuracy", "contrastive_entropy"}
PROBE_METRICS = {"probe_loss", "probe_accuracy"}


def forms_of_data():
    views = two_views()
    return {
        "images": some_images(),
        "pair": (some_images(), LABELS),
        "dict": {"image": some_images(), "label": LABELS},
        "views": {"views": views, "label": LABELS},
    }
