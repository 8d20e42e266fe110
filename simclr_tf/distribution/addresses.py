"""Addresses of other processes, and whether anybody answers there."""

from __future__ import annotations

import socket
import time

from simclr_tf.errors import UserError

_MAX_PORT = 2**16 - 1
# In seconds.
_ATTEMPT, _PAUSE = 5.0, 0.2


def host_and_port(address: str) -> tuple[str, int]:
    """The parts of HOST:PORT, with or without a scheme such as "grpc://".

    Raises:
      UserError: where it is something else.
    """
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not host or not (port.isascii() and port.isdigit()):
        raise UserError(f"{address!r} is not HOST:PORT")
    try:
        host.encode("idna")
    except UnicodeError as error:
        raise UserError(f"{address!r} has no host's name before the port") from error
    try:
        return host, require_port(int(port))
    except UserError as error:
        raise UserError(f"{address!r} is not HOST:PORT: {error}") from error


def require_port(port: int) -> int:
    """The port, once it is one that others can reach.

    Raises:
      UserError: where it is not; 0 too, for the system would listen on another port
        and nobody would know on which.
    """
    if not 0 < port <= _MAX_PORT:
        raise UserError(f"a port must be from 1 to {_MAX_PORT:,}, got {port:,}")
    return port


def require_answer(address: str, timeout: float = 0.0) -> None:
    """Returns once a server listens at HOST:PORT.

    Args:
      address: HOST:PORT, with or without a scheme.
      timeout: how long to keep trying, in seconds; 0 tries once.

    Raises:
      OSError: where none does.
      UserError: where the address is not HOST:PORT.
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
