"""Views in a `tf.data` pipeline of the user's own, by the form that CPUs make fastest.

`SimCLRAugmenter.views` calls this where it is traced in a function that `tf.data` will
run, which is always on the host's CPU.
"""

from __future__ import annotations

import os
from typing import Any

import tensorflow as tf

from simclr_tf.augmentation.base import StatelessAugmentation
from simclr_tf.augmentation.graph_checks import checked_values
from simclr_tf.augmentation.host_views import HostAugmenter, views_on_host


def in_tf_data() -> bool:
    """Whether the graph that is being traced is a function of a `tf.data` pipeline.

    TensorFlow marks such functions when their graph is complete. While it is traced,
    its name alone tells: that of the transformation, as in `Dataset_map_lambda`. A
    `tf.function` called there has a graph of its own, which may later run elsewhere,
    and a control flow branch too: both are not meant.
    """
    graph = tf.compat.v1.get_default_graph()
    in_replica = (
        tf.distribute.has_strategy() and not tf.distribute.in_cross_replica_context()
    )
    named = getattr(graph, "name", "").startswith("Dataset_")
    return tf.inside_function() and named and not in_replica


def has_form_for_one(augmenter: HostAugmenter, images: Any) -> bool:
    """Whether `views_in_tf_data` makes what `augmenter` makes of a batch.

    It does not where images have no one size that is known when the graph is traced,
    since it is compiled for that size, nor where a class of another package, which
    need not compile, says nothing of single images in `augment_one`.
    """
    if not isinstance(images, tf.Tensor) or images.shape.rank != 4:
        return False
    if None in images.shape[1:]:
        return False
    layers = augmenter.keyed_layers().values()
    return _of_this_package(augmenter) and all(
        _of_this_package(layer)
        or type(layer).augment_one is not StatelessAugmentation.augment_one
        for layer in layers
    )


def _of_this_package(layer: Any) -> bool:
    return type(layer).__module__.startswith("simclr_tf.")


def views_in_tf_data(
    augmenter: HostAugmenter,
    images: tf.Tensor,
    seeds: tf.Tensor,
    *,
    sizes: tf.Tensor | None = None,
    count: int = 2,
) -> tf.Tensor:
    """`views_on_host`, compiled, by as many threads as the machine has processors.

    A compiled call takes one thread. The batch is cut into equal shares, and TensorFlow
    runs calls of one graph side by side: so a map without `num_parallel_calls` is fast
    too. Where shares cannot be equal, the last image of the batch fills them up.

    Args:
      augmenter: draws the parameters.
      images: `[B, H, W, C]` with static H, W and C, uint8 or floating point in
        [0, 1].
      seeds: integer `[B, 2]`.
      sizes: see `SimCLRAugmenter.views`.
      count: views of each image, V.

    Returns:
      `[B, V, h, w, C]` in [0, 1], in the augmenter's dtype.
    """
    images = checked_values(images)

    @tf.function(jit_compile=True, autograph=False)
    def made(
        images: tf.Tensor, seeds: tf.Tensor, sizes: tf.Tensor | None = None
    ) -> tf.Tensor:
        return views_on_host(augmenter, images, seeds, sizes=sizes, count=count)

    batch = images.shape[0] or tf.shape(images)[0]
    shares = _processors()
    if isinstance(batch, int):
        shares = min(shares, batch)
    size = -(-batch // shares)
    rows = tf.minimum(tf.range(shares * size), batch - 1)
    given = (images, seeds) if sizes is None else (images, seeds, sizes)
    views = []
    for index in range(shares):
        share = rows[index * size : (index + 1) * size]
        views.append(made(*[tf.gather(each, share) for each in given]))
    return tf.concat(views, axis=0)[:batch]


def _processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
