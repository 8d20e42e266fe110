"""Reading an image, or another one in its place where it cannot be decoded."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from simclr_tf.data.elsewhere import is_made_elsewhere
from simclr_tf.data.source import Asked
from simclr_tf.data.verdicts import Verdicts

# More in a row are a broken data set, and end the reading.
_TRIES = 64
# Images read as one: to notice an error costs as much time as decoding a small image.
_CHUNK = 16

# From what is asked for, and the place of the image to make it of, to an example.
Read = Callable[[Asked, tf.Tensor], dict[str, tf.Tensor]]


def read_and_fill(
    asked: tf.data.Dataset, read: Read, count: int, verdicts: Verdicts
) -> tf.data.Dataset:
    """Examples, each replaced by another one where it cannot be read.

    Which one takes the place of a bad one follows from its place and what is made of
    it: the next that can be read, in a fixed order of all images. What is known of bad
    files is not used: of a damaged file some crops may decode, and hosts, replicas and
    resumed runs know of different files. It keeps the place of the bad one, and with it
    the seeds of its views, but not its label: a filled place is labelled -1, and no
    figure counts it.

    Args:
      asked: what is asked for, one by one.
      read: reads and decodes an example, with `"index"`. What is decoded after it ends
        the reading where it fails.
      count: how many images there are.
      verdicts: told of each bad file that is met.
    """
    read = tf.function(read, autograph=False)  # Traced once for both of its uses.

    def read_chunk(chunk: Asked) -> dict[str, tf.Tensor]:
        each = tf.data.Dataset.from_tensor_slices(chunk)

        def fill() -> dict[str, tf.Tensor]:
            filled = each.map(lambda one: _read_or_fill(read, one, count, verdicts))
            return filled.batch(_CHUNK).get_single_element()

        good = each.map(lambda one: read(one, one["index"])).ignore_errors()
        # One more, for a dataset without any gives no batch at all.
        nothing = tf.nest.map_structure(
            lambda spec: tf.zeros(spec.shape, spec.dtype), good.element_spec
        )
        good = good.concatenate(tf.data.Dataset.from_tensors(nothing))
        made = good.batch(_CHUNK + 1).get_single_element()
        made = tf.nest.map_structure(lambda values: values[:-1], made)
        is_whole = tf.size(made["index"]) == tf.size(chunk["index"])
        return tf.cond(is_whole, lambda: made, fill)

    made = asked.batch(_CHUNK).map(
        read_chunk, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    )
    return made.unbatch()


def _read_or_fill(
    read: Read, one: Asked, count: int, verdicts: Verdicts
) -> dict[str, tf.Tensor]:
    """The example at a place, or the one that takes it."""
    index, stride = one["index"], _stride(count)
    tries = tf.data.Dataset.range(min(_TRIES, count))

    def attempt(number: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        return number, read(one, (index + number * stride) % count)

    number, example = tries.map(attempt).ignore_errors().take(1).get_single_element()
    failed = (index + tf.range(number) * stride) % count
    tell = _print if is_made_elsewhere() else _note(verdicts)
    told = tf.cond(number > 0, lambda: tell(failed), lambda: tf.constant(False))
    with tf.control_dependencies([told]):
        example["index"] = tf.identity(index)
    if "label" in example:
        label = example["label"]
        example["label"] = tf.where(number > 0, -tf.ones_like(label), label)
    return example


def _stride(count: int) -> int:
    """A step through `count` places that meets each of them, far from the one before.

    A photograph's neighbours in a folder are often damaged together.
    """
    stride = max(round(count * 0.381966), 1)
    while math.gcd(stride, count) != 1:
        stride += 1
    return stride


def _note(verdicts: Verdicts) -> Callable[[tf.Tensor], tf.Tensor]:
    def note(places: np.ndarray) -> np.ndarray:
        for place in places:
            verdicts.found_bad(int(place))
        return np.bool_(True)

    return lambda places: tf.numpy_function(note, [places], tf.bool)


def _print(places: tf.Tensor) -> tf.Tensor:
    """On a machine that only makes batches, which cannot call this process."""
    printed = tf.print("Images that cannot be read, by their places:", places)
    with tf.control_dependencies([printed]):
        return tf.constant(True)
