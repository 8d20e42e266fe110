"""Batches that other machines make: tf.data service."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import tensorflow as tf

from simclr_tf.data.source import DataError, reason
from simclr_tf.distribution.addresses import require_answer

_service = tf.data.experimental.service
_HINT = tf.data.experimental.SHARD_HINT
# Asked once whether it is there, a service has so many seconds to answer.
_PATIENCE = 20.0


def from_service(
    pipeline: Callable[[int | tf.Tensor, int], tf.data.Dataset], address: str
) -> tf.data.Dataset:
    """What `pipeline(0, 1)` gives, made by the workers of a tf.data service.

    Of W workers, worker w makes elements s, s + W, s + 2W, …, and we read from the
    workers in turn, so the order is that of one machine. The dispatcher must know
    its workers by name, as one that `simclr data_service` started does: only then
    does each of them know its share.

    Args:
      pipeline: given a first element and a stride, the endless dataset of every
        stride-th element from there.
      address: HOST:PORT of the dispatcher, with or without "grpc://".

    Returns:
      The elements in order.

    Raises:
      DataError: where the service does not answer, or does not know its workers.
    """
    url = address if "://" in address else f"grpc://{address}"
    turns = _turns(url)

    def share(worker: tf.Tensor) -> tf.data.Dataset:
        first = tf.gather(tf.constant(turns, tf.int64), worker)
        elements = pipeline(first, len(turns))
        # Each says which one it is, lest a worker that came or went go unnoticed.
        numbers = tf.data.Dataset.counter(first, tf.constant(len(turns), tf.int64))
        return tf.data.Dataset.zip((numbers, elements))

    elements = _read(_worker_numbers().take(1).flat_map(share), url)

    def checked(
        place: tf.Tensor, made: tuple[tf.Tensor, dict[str, tf.Tensor]]
    ) -> dict[str, tf.Tensor]:
        number, element = made
        in_order = tf.debugging.Assert(
            number == place,
            [
                "The workers of the tf.data service changed: element",
                number,
                "came where",
                place,
                "was due. Start the run again; it resumes.",
            ],
        )
        with tf.control_dependencies([in_order]):
            return tf.nest.map_structure(tf.identity, element)

    return elements.enumerate().map(checked)


def _worker_numbers() -> tf.data.Dataset:
    """Endless w, w + W, w + 2W, … on worker w of W."""
    return tf.data.Dataset.counter().shard(_HINT, _HINT)


def _read(elements: tf.data.Dataset, url: str) -> tf.data.Dataset:
    endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
    # Coordinated reads, even of one consumer, take turns among the workers. Jobs of
    # the same name share their elements: each reader wants all of its own.
    return elements.apply(endless).apply(
        _service.distribute(
            processing_mode=_service.ShardingPolicy.HINT,
            service=url,
            job_name=f"simclr-{time.time_ns()}",
            consumer_index=0,
            num_consumers=1,
        )
    )


def _turns(url: str) -> list[int]:
    """For each worker, which of every W elements is due from it."""
    # Pairs of w and w + W, worker by worker.
    pairs = _read(_worker_numbers().batch(2, drop_remainder=True), url)
    found: list = []

    def ask() -> None:
        try:
            for pair in pairs:
                found.append([int(number) for number in pair])
                if len(found) == found[0][1] - found[0][0]:
                    return
        except tf.errors.OpError as error:
            found.append(error)

    try:
        require_answer(url, _PATIENCE)
        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        asking.join(_PATIENCE)
        if asking.is_alive():
            raise OSError("not all of its workers answer")
        if isinstance(found[-1], Exception):
            raise OSError(reason(found[-1]))
    except (OSError, ValueError) as error:
        raise DataError(
            f"The tf.data service at {url} makes no batches ({error}). Start its "
            "dispatcher and workers with simclr data_service, and name the "
            "dispatcher's HOST:PORT."
        ) from error
    order = [first for first, _ in found]
    return [order.index(worker) for worker in range(len(order))]
