"""Batches made by a tf.data service of real processes are those made at home."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.augmentation import SimCLRAugmenter
from simclr_tf.cli.main import main
from simclr_tf.data import DataError, load, pretrain_batches
from simclr_tf.data import service as data_service
from tests import tiny
from tests.data.record_files import write_images
from tests.distribution.local_cluster import free_ports

pytestmark = pytest.mark.slow

# Colours take their time to compile.
_AUGMENTER = SimCLRAugmenter(16, color_strength=0.0, blur=False)
_PATIENCE = 240
_OWN = (
    r"Dispatcher on port \d+|Waiting for the dispatcher at|"
    r"Worker localhost:\d+ of dispatcher"
)


def _serve(*arguments):
    command = [sys.executable, "-m", "simclr_tf", "data_service", *arguments]
    # As a shell starts it, in which nothing keeps TensorFlow quiet.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )


def _wait_for(port):
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        try:
            socket.create_connection(("localhost", port), 1).close()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"nothing listens on {port}")


@pytest.fixture(scope="module")
def service():
    """The address of a dispatcher with two workers, each a process."""
    dispatcher, *workers = ports = free_ports(3)
    named = ",".join(f"localhost:{port}" for port in workers)
    # The dispatcher last: workers wait for it.
    processes = [
        _serve(
            "--role=worker",
            f"--dispatcher=localhost:{dispatcher}",
            f"--address=localhost:{port}",
        )
        for port in workers
    ]
    processes.append(
        _serve("--role=dispatcher", f"--port={dispatcher}", f"--workers={named}")
    )
    with _answering(processes, ports):
        yield f"localhost:{dispatcher}"


@pytest.fixture(scope="module")
def service_of_one_process():
    """The address of a dispatcher whose worker shares its process."""
    (port,) = free_ports(1)
    with _answering([_serve("--role=both", f"--port={port}")], [port]):
        yield f"localhost:{port}"


@contextlib.contextmanager
def _answering(processes, ports):
    try:
        for port in ports:
            _wait_for(port)
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        said = [process.communicate(timeout=20)[0] for process in processes]
    # Its own words and no one else's, though a worker's XLA compiles views.
    for each in said:
        lines = each.splitlines()
        assert lines, said
        assert all(re.match(_OWN, line) for line in lines), each


@pytest.fixture
def tfrecord(tmp_path):
    images = np.random.default_rng(1).integers(0, 256, [40, 20, 20, 3], np.uint8)
    path = tmp_path / "images.tfrecord"
    write_images(path, [tf.io.encode_png(image).numpy() for image in images])
    return f"tfrecord:{path}"


@pytest.fixture
def arrays(tmp_path):
    """Records of arrays: to read image files takes seconds to trace, of each run."""
    images = np.random.default_rng(1).integers(0, 256, [40, 20, 20, 3], np.uint8)
    contents = [tf.io.serialize_tensor(image).numpy() for image in images]
    write_images(tmp_path / "arrays.tfrecord", contents)
    return f"tfrecord:{tmp_path / 'arrays.tfrecord'}"


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", ["tfrecord", "shapes"])
def test_batches_come_in_the_order_of_one_machine(service, kind, request):
    spec = kind if kind == "shapes" else request.getfixturevalue(kind)
    source = load(spec, image_size=20)
    settings = {"batch_size": 8, "seed": 3, "start_step": 2}
    settings["context"] = tf.distribute.InputContext(1, 0, 2)
    here = pretrain_batches(source, _AUGMENTER, **settings).take(13)
    there = pretrain_batches(source, _AUGMENTER, data_service=service, **settings)
    count = 0
    for expected, batch in zip(here, there):
        assert expected.keys() == batch.keys()
        for name, values in expected.items():
            np.testing.assert_array_equal(batch[name], values)
        count += 1
    assert count == 13


def test_a_service_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setattr(data_service, "_PATIENCE", 1.0)
    source = load("shapes")
    address = f"localhost:{free_ports(1)[0]}"
    with pytest.raises(DataError, match=f"tf.data service at grpc://{address} makes"):
        pretrain_batches(source, _AUGMENTER, batch_size=8, seed=0, data_service=address)


@pytest.mark.parametrize(
    "kind",
    [
        "service_of_one_process",
        pytest.param("service", marks=pytest.mark.exhaustive),
    ],
)
def test_pretrain_uses_it(kind, arrays, tmp_path, request):
    """And the run is, to the last bit, the one whose batches were made at home."""
    service = request.getfixturevalue(kind)
    results = []
    for run, more in (("home", []), ("away", [f"--data_service={service}"])):
        flags = [
            f"--dataset={arrays}",
            f"--encoder={tiny.NAME}",
            "--head_layers=1",
            "--views=crop|flip",
            "--eval=",
            "--image_size=16",
            "--augment_on=host",
            "--epochs=1",
            "--batch_size=8",
            "--precision=float32",
            "--early_share=0",
            "--noreport",
        ]
        assert main(["pretrain", *flags, f"--run={tmp_path / run}", *more]) == 0
        results.append((tmp_path / run / "metrics.jsonl").read_text())
    for text in results:
        assert text.count("\n") == 1
    assert _without_speed(results[0]) == _without_speed(results[1])


def _without_speed(text):
    return text.partition('"images_per_second"')[0]
