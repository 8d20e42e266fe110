"""Servers of a tf.data service say what is missing; see tests/data/service_test."""

import socket

import pytest

from simclr_tf.data import load, pretrain_batches
from simclr_tf.distribution.data_service import serve
from tests.distribution.local_cluster import free_ports


def test_both_servers_in_one_process_make_batches():
    (port,), said = free_ports(1), []
    servers = serve("both", port=port, say=said.append, wait=False)
    assert len(servers) == len(said) == 2
    source = load("shapes", image_size=16)
    batches = pretrain_batches(
        source, None, batch_size=4, seed=0, data_service=f"localhost:{port}"
    )
    expected = next(iter(pretrain_batches(source, None, batch_size=4, seed=0)))
    got = next(iter(batches))
    assert (got["seeds"].numpy() == expected["seeds"].numpy()).all()
    assert (got["image"].numpy() == expected["image"].numpy()).all()


@pytest.mark.parametrize(
    ("role", "arguments", "told"),
    [
        ("dispatcher", {}, "needs workers="),
        ("dispatcher", {"workers": ["host"]}, "'host' is not HOST:PORT"),
        ("worker", {}, "needs dispatcher="),
        ("worker", {"dispatcher": "a:b"}, "'a:b' is not HOST:PORT"),
    ],
)
def test_what_is_missing_is_told(role, arguments, told):
    with pytest.raises(ValueError, match=told):
        serve(role, **arguments)


def test_a_port_in_use_is_told():
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match=f"Port {port} cannot be used"):
            serve("dispatcher", port=port, workers=["a:1"], wait=False)
