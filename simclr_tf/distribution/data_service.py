"""Servers of a tf.data service: one dispatcher, and workers that make batches."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from simclr_tf import messages
from simclr_tf.distribution.addresses import (
    host_and_port,
    require_answer,
    require_port,
)
from simclr_tf.errors import UserError

ROLES = ("both", "dispatcher", "worker")

_PATIENCE = 60.0  # Seconds in which a worker must find its dispatcher.
_service = tf.data.experimental.service


def serve(
    role: str,
    *,
    port: int = 5050,
    workers: Sequence[str] = (),
    dispatcher: str | None = None,
    address: str | None = None,
    say: Callable[[str], None] = messages.say,
    wait: bool = True,
) -> list[Any]:
    """Runs a server of a tf.data service until the process is stopped.

    The dispatcher is given the addresses of its workers, so that each worker has the
    same share of the batches in every run. Workers need the same data under the same
    paths.

    Args:
      role: "dispatcher", "worker", or "both" for a cluster of one machine.
      port: to listen on, from 1 to 65535; with "both" the dispatcher's, and the
        worker takes a free one.
      workers: of a dispatcher, HOST:PORT of each worker.
      dispatcher: of a worker, HOST:PORT of the dispatcher.
      address: of a worker, HOST:PORT that others reach it by; this host's name and
        `port` where None.
      say: called with what runs where.
      wait: False to return at once; the servers run as long as they are held.

    Returns:
      The servers.

    Raises:
      UserError: where an argument is missing or wrong, the port is taken, or the
        dispatcher does not answer.
    """
    if role not in ROLES:
        raise UserError(f"role must be one of {', '.join(ROLES)}, got {role!r}.")
    require_port(port)
    _require_own_arguments(role, workers, dispatcher, address)
    if role == "both":
        worker_port = _free_port()
        workers, address = [f"localhost:{worker_port}"], f"localhost:{worker_port}"
        dispatcher = f"localhost:{port}"
    elif role == "dispatcher" and not workers:
        raise UserError("A dispatcher needs workers=HOST:PORT,… of all its workers.")
    elif role == "worker" and not dispatcher:
        raise UserError(
            "A worker needs dispatcher=HOST:PORT, where the dispatcher of its cluster "
            "listens."
        )
    for named in [*workers, *filter(None, [dispatcher, address])]:
        host_and_port(named)
    if len(set(workers)) < len(workers):
        raise UserError(f"Each worker must be named once, got {', '.join(workers)}.")
    servers: list[Any] = []
    if role != "worker":
        servers.append(_dispatcher(port, workers))
        say(f"Dispatcher on port {port} of {', '.join(workers)}.")
    if role != "dispatcher" and dispatcher is not None:
        address = address or f"{socket.gethostname()}:{port}"
        if role == "worker":
            say(
                f"Waiting for the dispatcher at {dispatcher}, {_PATIENCE:.0f} seconds "
                "at most."
            )
        servers.append(_worker(dispatcher, address))
        say(f"Worker {address} of dispatcher {dispatcher}.")
    if wait:
        servers[0].join()
    return servers


def _require_own_arguments(
    role: str, workers: Sequence[str], dispatcher: str | None, address: str | None
) -> None:
    """Raises UserError where an argument is of another role, and would be unheard."""
    given = {
        "workers": ("dispatcher", workers),
        "dispatcher": ("worker", dispatcher),
        "address": ("worker", address),
    }
    for name, (owner, value) in given.items():
        if value and role != owner:
            raise UserError(f"{name} is for role={owner}, and the role is {role}.")


def _dispatcher(port: int, workers: Sequence[str]) -> object:
    config = _service.DispatcherConfig(port=port, worker_addresses=list(workers))
    try:
        return _service.DispatchServer(config)
    except (RuntimeError, tf.errors.OpError) as error:
        raise UserError(f"Port {port} cannot be used: {error}") from error


def _worker(dispatcher: str, address: str) -> object:
    try:
        require_answer(dispatcher, _PATIENCE)
    except OSError as error:
        raise UserError(
            f"No dispatcher answers at {dispatcher}: {error}. It is started by simclr "
            "data_service --role=dispatcher, on that host and port."
        ) from error
    port = host_and_port(address)[1]
    config = _service.WorkerConfig(
        dispatcher_address=dispatcher, worker_address=address, port=port
    )
    try:
        return _service.WorkerServer(config)
    except (RuntimeError, tf.errors.OpError) as error:
        raise UserError(f"Port {port} cannot be used: {error}") from error


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return listener.getsockname()[1]
