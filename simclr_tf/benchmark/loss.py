"""NT-Xent and its gradient, in time and memory."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf

from simclr_tf.benchmark.process import measure_apart, time_and_peak
from simclr_tf.benchmark.timing import Measured
from simclr_tf.loss import nt_xent

VIEWS = (1024, 2048, 4096, 8192, 16384, 32768, 65536)
_OURS = "simclr_tf"


class OtherLoss(NamedTuple):
    """Another implementation of the loss, to be measured beside ours.

    Attributes:
      module: `python -m module VIEWS REPEATS` measures it and prints the result of
        `time_loss` as JSON.
      most_views: the greatest number of views to measure it with.
    """

    module: str
    most_views: int


def measure_losses(
    repeats: int,
    views: Sequence[int] = VIEWS,
    others: Mapping[str, OtherLoss] | None = None,
) -> Iterator[list[Measured]]:
    """Seconds and memory of the loss by the number of views, of 128 dimensions each.

    Args:
      repeats: measured runs of each contender.
      views: numbers of views.
      others: other implementations, by name.
    """
    for count in views:
        figures = measure_apart(__name__, count, repeats)
        rows = [Measured(f"{count:,} views", _OURS, size=count, **figures)]
        for who, other in (others or {}).items():
            if count <= other.most_views:
                figures = measure_apart(other.module, count, repeats)
                rows.append(Measured(f"{count:,} views", who, size=count, **figures))
        yield rows


def time_loss(
    form: Callable[..., tf.Tensor], views: int, repeats: int
) -> dict[str, float]:
    """Seconds and GiB that a loss and its gradient take in this process.

    Args:
      form: the loss, from `(z_a, z_b)`, each `[views / 2, 128]`, to a scalar.
      views: the number of views, `z_a` and `z_b` together.
      repeats: measured runs.
    """

    @tf.function
    def differentiate(
        z_a: tf.Tensor, z_b: tf.Tensor
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            tape.watch([z_a, z_b])
            loss = form(z_a, z_b)
        return loss, tape.gradient(loss, [z_a, z_b])

    pair = tf.unstack(tf.random.stateless_normal([2, views // 2, 128], [1, 2]))
    differentiate.get_concrete_function(*pair)
    return time_and_peak(lambda: differentiate(*pair), repeats)


if __name__ == "__main__":
    print(json.dumps(time_loss(nt_xent, *map(int, sys.argv[1:]))))
