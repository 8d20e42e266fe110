"""The hosts that train together, as TF_CONFIG names them."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import time
from collections.abc import Callable

from simclr_tf import messages
from simclr_tf.distribution.addresses import host_and_port, require_answer
from simclr_tf.errors import UserError

_TRAINING = ("chief", "worker")
# Between two attempts to reach a worker, in seconds.
_PAUSE = 0.5
# Seconds of waiting after which a person is told for whom.
_PATIENCE = 5.0


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Addresses of the workers in their order, and which of them this process is."""

    workers: tuple[str, ...]
    index: int


def read_cluster(variable: str | None = None) -> Cluster | None:
    """The cluster that TF_CONFIG describes, or None where it describes none.

    TensorFlow's strategy reads TF_CONFIG itself, by `TFConfigClusterResolver`. That
    class takes a task that is not in the cluster, an address without a port and an
    absent index as they are, and the strategy then fails in its server's words or
    waits without an end: here they are found first, and the workers to wait for.

    Args:
      variable: the text of TF_CONFIG; read from the environment where None.

    Raises:
      UserError: where TF_CONFIG is not what TensorFlow documents.
    """
    text = os.environ.get("TF_CONFIG", "") if variable is None else variable
    if not text.strip():
        return None
    try:
        config = json.loads(text)
        jobs = config.get("cluster", {})
        workers = [(job, i, a) for job in _TRAINING for i, a in _addresses(jobs, job)]
        if not workers:
            return None
        task = config["task"]
        places = [(job, index) for job, index, _ in workers]
        index = places.index((task["type"], int(task["index"])))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"TF_CONFIG is wrong ({type(error).__name__}: {error}). It is JSON such as "
            '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, '
            '"task": {"type": "worker", "index": 0}}, the index being each host\'s own.'
        ) from error
    return Cluster(tuple(address for _, _, address in workers), index)


def _addresses(jobs: dict, job: str) -> list[tuple[int, str]]:
    addresses = list(jobs.get(job, ()))
    for address in addresses:
        host_and_port(address)
    return list(enumerate(addresses))


def wait_for_workers(
    cluster: Cluster, timeout: float, say: Callable[[str], None] = messages.say
) -> None:
    """Returns once every worker of the cluster has answered.

    TensorFlow itself waits without an end. Each process listens on its own port while
    it calls the others; afterwards TensorFlow's server takes the port over.

    Args:
      cluster: this process and the others.
      timeout: how long to wait, in seconds, 0 or more and finite.
      say: called with the names of the workers that have not answered yet.

    Raises:
      UserError: where this process' port is taken, or a worker does not answer.
    """
    host, port = host_and_port(cluster.workers[cluster.index])
    began = time.monotonic()
    if not 0 <= timeout < float("inf"):
        raise UserError(
            f"The time to wait for other workers must be 0 s or more and finite, got "
            f"{timeout:g}."
        )
    missing = [i for i in range(len(cluster.workers)) if i != cluster.index]
    said = False
    with _listening(host, port):
        while missing:
            missing = [i for i in missing if not _answers(cluster.workers[i])]
            waited = time.monotonic() - began
            names = ", ".join(f"worker {i} ({cluster.workers[i]})" for i in missing)
            if missing and waited > timeout:
                raise UserError(
                    f"No answer from {names} in {timeout:g} s. Start the same command "
                    "there, with the same TF_CONFIG but its own task index, and see "
                    "that its port is open."
                )
            if missing and waited > _PATIENCE and not said:
                say(f"Waiting for {names}.")
                said = True
            if missing:
                time.sleep(_PAUSE)


def _listening(host: str, port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("", port))
    except OSError as error:
        listener.close()
        raise UserError(
            f"Port {port} of {host}, this worker's in TF_CONFIG, cannot be used: "
            f"{error.strerror}. Another run may still hold it."
        ) from error
    listener.listen(128)
    return listener


def _answers(address: str) -> bool:
    try:
        require_answer(address)
    except OSError:
        return False
    return True
