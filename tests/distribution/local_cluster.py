"""Addresses and TF_CONFIGs for processes on this machine."""

import json
import socket


def free_ports(count):
    """Ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("localhost", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def configs(count):
    """The TF_CONFIG of each of some workers."""
    workers = [f"localhost:{port}" for port in free_ports(count)]
    return [
        json.dumps(
            {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
        )
        for index in range(count)
    ]
