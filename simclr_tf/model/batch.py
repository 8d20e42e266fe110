"""What a batch of training data holds, in any form that is accepted."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf


class Batch(NamedTuple):
    """Images, or their two views, and what goes with each; None for what is missing.

    Images are `[B, H, W, C]`, views `[B, 2, H, W, C]`, labels int32 `[B]`, seeds and
    sizes int32 `[B, 2]` as `SimCLRAugmenter.two_views` has them.
    """

    images: tf.Tensor | None
    views: tf.Tensor | None
    labels: tf.Tensor | None
    seeds: tf.Tensor | None
    sizes: tf.Tensor | None

    @property
    def given(self) -> tf.Tensor:
        """The views, or else the images."""
        return self.images if self.views is None else self.views

    def rows(self, begin: tf.Tensor, size: int) -> Batch:
        """A batch of `size` examples from `begin` on."""
        return Batch(
            *[each if each is None else _rows(each, begin, size) for each in self]
        )

    def piece_size(self, count: int) -> int:
        """Examples in each of `count` pieces.

        Raises:
          ValueError: where pieces cannot be of one known size.
        """
        local = self.given.shape[0]
        if local is None:
            raise ValueError(
                "micro_batches above 1 needs batches of a known size: batch with "
                "drop_remainder=True."
            )
        if local % count:
            raise ValueError(
                f"A replica's batch of {local} images cannot be cut into {count} equal "
                "micro batches."
            )
        return local // count


def _rows(rows: tf.Tensor, begin: tf.Tensor, size: int) -> tf.Tensor:
    rest = [-1 if side is None else side for side in rows.shape[1:]]
    return tf.slice(rows, [begin] + [0] * len(rest), [size, *rest])


def unpack(data: Any) -> Batch:
    """Reads images, `(images, labels)` or a dict; ValueError for anything else."""
    labels = None
    if isinstance(data, (tuple, list)):
        if len(data) not in (1, 2):
            raise ValueError(
                "SimCLR takes images, (images, labels) or a dict, got a tuple of "
                f"{len(data)}. Sample weights are not used."
            )
        data, labels = data[0], data[1] if len(data) == 2 else None
    if not isinstance(data, dict):
        data = {"image": data}
    if labels is None:
        labels = data.get("label")
    if "views" not in data and "image" not in data:
        raise ValueError(
            f'A dict of data must hold "image" or "views", got the keys {sorted(data)}.'
        )
    if labels is not None:
        labels = tf.reshape(tf.cast(labels, tf.int32), [-1])
    return Batch(
        images=data.get("image"),
        views=data.get("views"),
        labels=labels,
        seeds=data.get("seeds"),
        sizes=data.get("size"),
    )
