"""NT-Xent and its gradient: ours and the published form, in time and memory."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Iterator, Sequence

import tensorflow as tf

from simclr_tf.benchmark import peers
from simclr_tf.benchmark.process import measure_apart, time_and_peak
from simclr_tf.benchmark.timing import Measured
from simclr_tf.loss import nt_xent

_OURS = "simclr_tf"
_FORMS = {
    _OURS: nt_xent,
    # A temperature too low for the halved work of one replica.
    "simclr_tf, as among replicas": functools.partial(nt_xent, temperature=0.02),
    "published form": peers.published_loss,
}
# The published form needs some 16 bytes a similarity and more.
_MOST_OF_OTHERS = 16384
VIEWS = (1024, 2048, 4096, 8192, 16384, 32768, 65536)


def measure_losses(
    repeats: int, views: Sequence[int] = VIEWS
) -> Iterator[list[Measured]]:
    """Seconds and memory by count of views, of 128 dimensions."""
    for count in views:
        made = []
        for who in _FORMS:
            if who != _OURS and count > _MOST_OF_OTHERS:
                continue
            told = measure_apart(__name__, who, count, repeats)
            made.append(Measured(f"{count:,} views", who, size=count, **told))
        yield made


def _in_this_process(who: str, views: int, repeats: int) -> dict[str, float]:
    @tf.function
    def differentiate(z_a: tf.Tensor, z_b: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch([z_a, z_b])
            loss = _FORMS[who](z_a, z_b)
        return loss, tape.gradient(loss, [z_a, z_b])

    given = tf.unstack(tf.random.stateless_normal([2, views // 2, 128], [1, 2]))
    differentiate.get_concrete_function(*given)
    return time_and_peak(lambda: differentiate(*given), repeats)


if __name__ == "__main__":
    print(json.dumps(_in_this_process(sys.argv[1], *map(int, sys.argv[2:]))))
