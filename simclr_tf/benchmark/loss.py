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
    """Another form of the loss, to be measured too.

    Attributes:
      module: what `python -m` runs with the count of views and of repeats; it prints
        what `time_loss` returns, as JSON.
      most_views: that it is measured with.
    """

    module: str
    most_views: int


def measure_losses(
    repeats: int,
    views: Sequence[int] = VIEWS,
    others: Mapping[str, OtherLoss] | None = None,
) -> Iterator[list[Measured]]:
    """Seconds and memory by count of views, of 128 dimensions.

    Args:
      repeats: measured runs.
      views: counts of them.
      others: other forms, by name.
    """
    for count in views:
        figures = measure_apart(__name__, count, repeats)
        made = [Measured(f"{count:,} views", _OURS, size=count, **figures)]
        for who, other in (others or {}).items():
            if count <= other.most_views:
                figures = measure_apart(other.module, count, repeats)
                made.append(Measured(f"{count:,} views", who, size=count, **figures))
        yield made


def time_loss(
    form: Callable[..., tf.Tensor], views: int, repeats: int
) -> dict[str, float]:
    """Seconds and GiB that a form of the loss and its gradient take in this process.

    Args:
      form: from `(z_a, z_b)`, each `[views / 2, 128]`, to a scalar.
      views: count of both.
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
