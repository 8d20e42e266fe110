"""Counter-based random numbers: every example has a stream of its own.

`tf.random.stateless_*` takes one seed for a whole batch, so an image's draw
would depend on its place in the batch. Threefry-2x32 with 20 rounds (Salmon et
al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3") over tensors of keys
gives each example the same numbers whatever the batch, the replica or the
machine, and is integer arithmetic that compiles anywhere.
"""

from __future__ import annotations

import functools

import tensorflow as tf

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_KEY_PARITY = 0x1BD11BDA


def _rotate_left(words: tf.Tensor, bits: int) -> tf.Tensor:
    left = tf.bitwise.left_shift(words, tf.constant(bits, tf.uint32))
    right = tf.bitwise.right_shift(words, tf.constant(32 - bits, tf.uint32))
    return tf.bitwise.bitwise_or(left, right)


def threefry(
    key: tuple[tf.Tensor, tf.Tensor], counter: tuple[tf.Tensor, tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Threefry-2x32, 20 rounds.

    Args:
      key: two uint32 tensors.
      counter: two uint32 tensors, broadcastable with `key`.

    Returns:
      Two uint32 tensors of the broadcast shape.
    """
    words = _rounds(*key, *counter)
    shape = functools.reduce(
        tf.broadcast_static_shape, (word.shape for word in (*key, *counter))
    )
    for word in words:
        word.set_shape(shape)
    return words


# Traced once a process, since every draw calls it.
@tf.function(input_signature=[tf.TensorSpec(None, tf.uint32)] * 4, autograph=False)
def _rounds(
    k0: tf.Tensor, k1: tf.Tensor, c0: tf.Tensor, c1: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    parity = tf.constant(_KEY_PARITY, tf.uint32)
    k2 = tf.bitwise.bitwise_xor(parity, tf.bitwise.bitwise_xor(k0, k1))
    keys = (k0, k1, k2)
    x0, x1 = c0 + k0, c1 + k1
    for group in range(5):
        for bits in _ROTATIONS[group % 2]:
            x0 = x0 + x1
            x1 = tf.bitwise.bitwise_xor(_rotate_left(x1, bits), x0)
        x0 = x0 + keys[(group + 1) % 3]
        x1 = x1 + keys[(group + 2) % 3] + tf.constant(group + 1, tf.uint32)
    return x0, x1


def _split_words(seeds: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    words = tf.bitcast(tf.cast(seeds, tf.int32), tf.uint32)
    return words[..., 0], words[..., 1]


def _as_seeds(words: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
    return tf.bitcast(tf.stack(words, axis=-1), tf.int32)


def fold_in(seeds: tf.Tensor, value: int | tf.Tensor) -> tf.Tensor:
    """New seeds from `seeds` and a number: independent for different numbers.

    Args:
      seeds: int32 `[..., 2]`.
      value: an integer or integer tensor broadcastable to `[...]`.

    Returns:
      int32 `[..., 2]`.
    """
    value = tf.bitcast(tf.cast(value, tf.int32), tf.uint32)
    zero = tf.zeros_like(value)
    return _as_seeds(threefry(_split_words(seeds), (value, zero)))


def example_seeds(
    seed: int | tf.Tensor, epoch: int | tf.Tensor, index: tf.Tensor
) -> tf.Tensor:
    """Seeds of examples: a function of the run's seed, the epoch and the index.

    Args:
      seed: the run's seed, an integer scalar.
      epoch: the epoch, an integer scalar or `[B]`.
      index: the examples' places in the dataset, integer `[B]`, any int64 >= 0.

    Returns:
      int32 `[B, 2]`.
    """
    index = tf.cast(index, tf.int64)
    low = tf.bitcast(tf.bitcast(index, tf.int32), tf.uint32)
    key = (
        tf.bitcast(tf.cast(seed, tf.int32), tf.uint32),
        tf.bitcast(tf.cast(epoch, tf.int32), tf.uint32),
    )
    return _as_seeds(threefry(key, (low[..., 0], low[..., 1])))


def uniform(
    seeds: tf.Tensor,
    stream: int,
    count: int,
    dtype: tf.DType = tf.float32,
    *,
    block: int | tf.Tensor = 0,
) -> tf.Tensor:
    """Uniform numbers in [0, 1) on a grid of 2^-24.

    Args:
      seeds: int32 `[B, 2]`, a key per example.
      stream: which independent stream of the key to draw from, >= 0.
      count: how many numbers per example, >= 1.
      dtype: a floating dtype of the result.
      block: which block of `count` numbers of the stream, an integer scalar >= 0.

    Returns:
      `[B, count]`.
    """
    k0, k1 = _split_words(seeds)
    pairs = (count + 1) // 2
    pair = tf.range(pairs, dtype=tf.int32) + pairs * block
    counter = (tf.constant(stream, tf.uint32), tf.bitcast(pair, tf.uint32))
    words = threefry((k0[:, None], k1[:, None]), counter)
    bits = tf.concat(words, axis=1)[:, :count]
    top = tf.bitwise.right_shift(bits, tf.constant(8, tf.uint32))
    return tf.cast(tf.bitcast(top, tf.int32), dtype) * 2.0**-24
