"""Servers of a tf.data service say what is missing; see tests/data/service_test."""

import socket

import pytest

from simclr_tf.data import load, pretrain_batches
from simclr_tf.data.service import from_service
from simclr_tf.distribution import data_service
from simclr_tf.distribution.data_service import serve
from simclr_tf.errors import UserError
from tests.distribution.local_cluster import free_ports

pytestmark = pytest.mark.slow


@pytest.mark.exhaustive  # `data/service_test.py` has them in a process.
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
        ("both", {"dispatcher": "a:1"}, "dispatcher is for role=worker, and the role"),
        ("both", {"workers": ["a:1"]}, "workers is for role=dispatcher"),
        ("dispatcher", {"workers": ["a:1"], "address": "b:1"}, "address is for role=w"),
        ("worker", {"dispatcher": "a:b"}, "'a:b' is not HOST:PORT"),
        ("worker", {"dispatcher": "a:0"}, "'a:0' .* from 1 to 65,535, got 0"),
        ("worker", {"dispatcher": "a:99999999"}, "got 99,999,999"),
        ("worker", {"dispatcher": "a:1", "address": "b:70000"}, "got 70,000"),
        ("worker", {"dispatcher": f"{'a' * 70}:1"}, "no host's name"),
        ("dispatcher", {"workers": ["a:1", "b:0"]}, "'b:0' .* got 0"),
        ("dispatcher", {"workers": ["a:1", "b:1", "a:1"]}, "named once"),
        ("both", {"port": 0}, "a port must be from 1 to 65,535, got 0"),
        ("both", {"port": 99999999}, "got 99,999,999"),
        ("dispatcher", {"port": -1, "workers": ["a:1"]}, "got -1"),
        ("worker", {"port": 65536, "dispatcher": "a:1"}, "got 65,536"),
        ("server", {}, "role must be one of both, dispatcher, worker, got 'server'"),
    ],
)
def test_what_is_missing_is_told(role, arguments, told):
    with pytest.raises(UserError, match=told):
        serve(role, **arguments)


def test_a_worker_says_whom_it_waits_for_and_that_nobody_answers(monkeypatch):
    monkeypatch.setattr(data_service, "_PATIENCE", 0.3)
    (port,), said = free_ports(1), []
    with pytest.raises(UserError, match=f"No dispatcher answers at localhost:{port}"):
        serve("worker", dispatcher=f"localhost:{port}", say=said.append)
    assert said == [
        f"Waiting for the dispatcher at localhost:{port}, 0 seconds at most."
    ]


def test_a_port_in_use_is_told():
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"Port {port} cannot be used"):
            serve("dispatcher", port=port, workers=["a:1"], wait=False)


@pytest.mark.parametrize("address", ["localhost:0", "localhost:99999999", "a", "²:²"])
def test_an_address_that_is_none_is_told_at_once(address):
    with pytest.raises(UserError, match=r"makes no batches .*HOST:PORT"):
        from_service(None, address)
