"""A table as a .tfrecord file of `tf.train.Example`.

    features = {"features": tf.io.FixedLenFeature([D], tf.float32), ...}
    rows = tf.data.TFRecordDataset("features.tfrecord").batch(256)
    rows = rows.map(lambda batch: tf.io.parse_example(batch, features))

Features `features` (D float32), `index` (int64), and as far as they are known `path`
(bytes), `label` (int64, -1 where an image has none) and `class` (bytes).
"""

from __future__ import annotations

import tensorflow as tf

from simclr_tf.embeddings.table import Block, Table


def write_tfrecord(table: Table, path: str) -> None:
    """Writes a table; memory holds a block of it.

    Args:
      table: the rows.
      path: of the new file, local or remote.
    """
    with tf.io.TFRecordWriter(path) as writer:
        for block in table.blocks():
            rows = block.features.tolist()
            for row, numbers in enumerate(rows):
                writer.write(_example(block, row, numbers).SerializeToString())


def _example(block: Block, row: int, numbers: list[float]) -> tf.train.Example:
    example = tf.train.Example()
    feature = example.features.feature
    feature["features"].float_list.value.extend(numbers)
    feature["index"].int64_list.value.append(int(block.index[row]))
    if block.paths is not None:
        name = block.paths[row].encode("utf-8", "surrogateescape")
        feature["path"].bytes_list.value.append(name)
    if block.labels is not None:
        feature["label"].int64_list.value.append(int(block.labels[row]))
    if block.classes is not None:
        feature["class"].bytes_list.value.append(block.classes[row].encode())
    return example
