"""Addresses of other processes, and whether anybody answers there."""

from __future__ import annotations

import socket
import time

# In seconds.
_ATTEMPT, _PAUSE = 5.0, 0.2


def host_and_port(address: str) -> tuple[str, int]:
    """The parts of HOST:PORT, with or without a scheme such as "grpc://".

    Raises:
      ValueError: where it is something else.
    """
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f"{address!r} is not HOST:PORT")
    return host, int(port)


def require_answer(address: str, timeout: float = 0.0) -> None:
    """Returns once a server listens at HOST:PORT.

    Args:
      address: HOST:PORT, with or without a scheme.
      timeout: how long to keep trying, in seconds; 0 tries once.

    Raises:
      OSError: where none does.
    """
    end = time.monotonic() + timeout
    while True:
        try:
            socket.create_connection(host_and_port(address), _ATTEMPT).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
        time.sleep(_PAUSE)
