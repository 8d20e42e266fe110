"""TF_CONFIG is understood, and missing workers are named instead of waited for."""

import json
import socket
import threading
import time

import pytest

from simclr_tf.distribution.cluster import Cluster, read_cluster, wait_for_workers
from simclr_tf.errors import UserError
from tests.distribution.local_cluster import free_ports


def _config(task, **jobs):
    return json.dumps({"cluster": jobs, "task": task})


def test_workers_are_numbered_the_chief_first():
    config = _config(
        {"type": "worker", "index": 1},
        worker=["b:1", "c:2"],
        chief=["a:3"],
        ps=["d:4"],
    )
    assert read_cluster(config) == Cluster(("a:3", "b:1", "c:2"), index=2)


@pytest.mark.parametrize("config", ["", " ", "{}", '{"cluster": {}}'])
def test_no_cluster_is_none(config):
    assert read_cluster(config) is None


def test_the_environment_is_read(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert read_cluster() is None
    config = _config({"type": "worker", "index": 0}, worker=["a:1"])
    monkeypatch.setenv("TF_CONFIG", config)
    assert read_cluster() == Cluster(("a:1",), index=0)


@pytest.mark.parametrize(
    "config",
    [
        "worker0:2222",
        "[]",
        _config({"type": "worker", "index": 2}, worker=["a:1", "b:1"]),
        _config({"type": "evaluator", "index": 0}, worker=["a:1"]),
        _config({"type": "worker"}, worker=["a:1"]),
        _config({"type": "worker", "index": 0}, worker=["a"]),
        '{"cluster": {"worker": ["a:1"]}}',
    ],
)
def test_a_wrong_config_is_told_with_an_example(config):
    with pytest.raises(ValueError, match=r"TF_CONFIG is wrong.*host0:2222"):
        read_cluster(config)


@pytest.mark.slow
def test_workers_that_start_one_after_the_other_find_each_other():
    workers = tuple(f"localhost:{port}" for port in free_ports(3))
    found = []

    def start(index):
        time.sleep(0.7 * index)
        wait_for_workers(Cluster(workers, index), timeout=20)
        found.append(index)
        # As TensorFlow's server, which takes the port over.
        with socket.create_server(("", int(workers[index].partition(":")[2]))):
            time.sleep(4)

    threads = [threading.Thread(target=start, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [0, 1, 2]


def test_a_worker_that_does_not_answer_is_named_in_time():
    mine, other = free_ports(2)
    cluster = Cluster((f"localhost:{mine}", f"localhost:{other}"), index=0)
    began = time.monotonic()
    with pytest.raises(ValueError, match=rf"worker 1 \(localhost:{other}\) in 1 s"):
        wait_for_workers(cluster, timeout=1)
    assert time.monotonic() - began < 10


def test_a_port_in_use_is_named():
    (port,) = free_ports(1)
    cluster = Cluster((f"localhost:{port}", "localhost:1"), index=0)
    told = pytest.raises(ValueError, match=f"Port {port} of localhost")
    with socket.create_server(("", port)), told:
        wait_for_workers(cluster, timeout=1)


@pytest.mark.parametrize("timeout", [float("nan"), float("inf"), -1.0])
def test_a_wait_without_an_end_is_refused(timeout):
    with pytest.raises(UserError, match=f"finite, got {timeout:g}"):
        wait_for_workers(Cluster(("localhost:1", "localhost:2"), 0), timeout=timeout)
