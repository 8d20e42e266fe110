"""Small photos and TFRecord files of them."""

import numpy as np
import tensorflow as tf

IMAGENET_KEYS = ("image/encoded", "image/class/label")


def make_jpegs(count):
    """JPEG files of soft colours, no two of one size."""
    generator = np.random.default_rng(0)
    jpegs = []
    for place in range(count):
        coarse = generator.integers(0, 256, [4, 5, 3], np.uint8)
        image = tf.image.resize(coarse, [40 + 3 * place, 90 - place], "bicubic")
        jpegs.append(tf.io.encode_jpeg(tf.saturate_cast(image, tf.uint8)).numpy())
    return jpegs


def make_example(image, label=None, keys=IMAGENET_KEYS):
    """A serialised `tf.train.Example`; labels may be integers, floats or bytes."""
    feature = {keys[0]: tf.train.Feature(bytes_list=tf.train.BytesList(value=[image]))}
    if isinstance(label, bytes):
        value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[label]))
    elif isinstance(label, float):
        value = tf.train.Feature(float_list=tf.train.FloatList(value=[label]))
    elif label is not None:
        value = tf.train.Feature(int64_list=tf.train.Int64List(value=[label]))
    if label is not None:
        feature[keys[1]] = value
    features = tf.train.Features(feature=feature)
    return tf.train.Example(features=features).SerializeToString()


def write_records(path, records):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)


def write_images(path, images, labels=None, keys=IMAGENET_KEYS):
    labels = [None] * len(images) if labels is None else labels
    write_records(path, [make_example(*pair, keys) for pair in zip(images, labels)])


def read_all(source):
    """All examples of a source, in its order."""
    every = tf.data.Dataset.range(len(source)).batch(len(source), drop_remainder=True)
    return list(source.read(every).unbatch())
