"""Batches that other machines make: tf.data service."""

from __future__ import annotations

import threading
from collections.abc import Callable

import tensorflow as tf

from simclr_tf.data.elsewhere import made_elsewhere
from simclr_tf.data.source import DataError, reason
from simclr_tf.distribution.addresses import require_answer

# Seconds in which a service must answer, and then give a first number.
_PATIENCE = 10.0
_service = tf.data.experimental.service
_HINT = tf.data.experimental.SHARD_HINT


def from_service(
    pipeline: Callable[[int | tf.Tensor, int], tf.data.Dataset], address: str
) -> tf.data.Dataset:
    """What `pipeline(0, 1)` gives, made by the workers of a tf.data service.

    Of W workers, worker w makes elements w, w + W, w + 2W, …, and they are read from
    the workers in turn, so the order is that of one machine. The service's own ways to
    share work, coordinated reads among them, skip a worker that is slow.

    The dispatcher must have been given its workers' addresses, as `simclr
    data_service` does: only then does each worker know its number.

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
    workers = _count_workers(url)

    def share(worker: tf.Tensor) -> tf.data.Dataset:
        # Each element comes with its number: a worker that was started again would
        # otherwise begin at its first element without anybody noticing.
        numbers = tf.data.Dataset.counter(worker, tf.constant(workers, tf.int64))
        with made_elsewhere():
            return tf.data.Dataset.zip((numbers, pipeline(worker, workers)))

    def made_by(worker: int) -> tf.data.Dataset:
        """The elements of one worker: on all others the job is empty."""
        this = _worker_numbers().take(1).filter(lambda number: number == worker)
        return _read(this.flat_map(share), url).prefetch(tf.data.AUTOTUNE)

    turns = tf.data.Dataset.range(workers).repeat()
    elements = tf.data.Dataset.choose_from_datasets(
        [made_by(worker) for worker in range(workers)], turns
    )

    def checked(
        place: tf.Tensor, made: tuple[tf.Tensor, dict[str, tf.Tensor]]
    ) -> dict[str, tf.Tensor]:
        number, element = made
        complaint = [
            "A worker of the tf.data service was started again: element",
            number,
            "came instead of",
            place,
            ". Start the run again; it resumes.",
        ]
        with tf.control_dependencies([tf.debugging.Assert(number == place, complaint)]):
            return tf.nest.map_structure(tf.identity, element)

    return elements.enumerate().map(checked)


def _worker_numbers() -> tf.data.Dataset:
    """Endless w, w + W, w + 2W, … on worker w of W."""
    return tf.data.Dataset.counter().shard(_HINT, _HINT)


def _read(elements: tf.data.Dataset, url: str) -> tf.data.Dataset:
    return elements.apply(
        _service.distribute(
            processing_mode=_service.ShardingPolicy.HINT, service=url, compression=None
        )
    )


def _count_workers(url: str) -> int:
    pair = _worker_numbers().batch(2).take(1)
    found: list = []

    def ask() -> None:
        try:
            first, second = (int(number) for number in next(iter(_read(pair, url))))
            found.append(second - first)
        except tf.errors.OpError as error:
            found.append(error)

    try:
        require_answer(url, _PATIENCE)
        # Of a dispatcher without workers the first element never comes.
        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        asking.join(_PATIENCE)
        if not found:
            raise OSError("none of its workers answers")
        if isinstance(found[0], Exception):
            raise OSError(reason(found[0]))
    except (OSError, ValueError) as error:
        raise DataError(
            f"The tf.data service at {url} makes no batches ({error}). Start its "
            "dispatcher and workers with simclr data_service, and name the "
            "dispatcher's HOST:PORT."
        ) from error
    return found[0]
