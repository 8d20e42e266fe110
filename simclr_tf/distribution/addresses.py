"""Addresses of other processes, and whether anybody answers there."""

from __future__ import annotations

import socket


def host_and_port(address: str) -> tuple[str, int]:
    """The parts of HOST:PORT, with or without a scheme such as "grpc://".

    Raises:
      ValueError: where it is something else.
    """
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f"{address!r} is not HOST:PORT")
    return host, int(port)


def require_answer(address: str, timeout: float) -> None:
    """Raises OSError unless a server listens at HOST:PORT; `timeout` in seconds."""
    socket.create_connection(host_and_port(address), timeout).close()
