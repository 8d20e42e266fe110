"""What every test may count on: quiet TensorFlow, clean Keras, numbers, images."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pathlib
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if importlib.util.find_spec("tf_keras"):
    os.environ["TF_USE_LEGACY_KERAS"] = "1"

import pytest
import tensorflow as tf

from tests import sample_images
from tests.distribution.local_cluster import configs
from tests.distribution.replica_server import ReplicaServer


@pytest.fixture(scope="session")
def golden_folder() -> pathlib.Path:
    """The folder of numbers from the published code; its README says what they are."""
    return pathlib.Path(__file__).resolve().parent / "golden"


def _written_once(
    tmp_path_factory, name: str, write: Callable[[pathlib.Path], None]
) -> pathlib.Path:
    """A file or folder that takes its time to write; all processes of pytest share it.

    Tests only read it.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    if not (shared / name).exists():
        own = tmp_path_factory.mktemp("own") / name
        write(own)
        with contextlib.suppress(OSError):  # Another one's may have come first.
            own.rename(shared / name)
    return shared / name


@pytest.fixture(scope="session")
def images_npz(tmp_path_factory) -> pathlib.Path:
    """2,000 and 1,000 labelled images of 32 pixels; see `sample_images.write_npz`."""
    return _written_once(tmp_path_factory, "images.npz", sample_images.write_npz)


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> pathlib.Path:
    """JPEG files, `train/CLASS/*.jpg` and `test`; see `sample_images.write_photos`."""
    return _written_once(tmp_path_factory, "photos", sample_images.write_photos)


@pytest.fixture(scope="session")
def replicas() -> Iterator[Callable[[int], ReplicaServer]]:
    """The process of so many replicas; see `distribution/replica_server.py`."""
    servers: dict[int, ReplicaServer] = {}

    def server(count: int) -> ReplicaServer:
        if count not in servers:
            servers[count] = ReplicaServer(replicas=count)
        return servers[count]

    yield server
    for each in servers.values():
        each.close()


@pytest.fixture(scope="session")
def workers() -> Iterator[Callable[..., list[Any]]]:
    """Runs a case in two worker processes of one TF_CONFIG; gives what each gave."""
    servers: list[ReplicaServer] = []

    def run(function: Callable, **arguments: Any) -> list[Any]:
        if not servers:
            for config in configs(2):
                environment = {"TF_CONFIG": config}
                servers.append(ReplicaServer("multiworker", environment=environment))
        for server in servers:
            server.send(function, **arguments)
        return [server.result() for server in servers]

    yield run
    for server in servers:
        server.close()


@pytest.fixture(autouse=True)
def _fresh_keras():
    """Undoes what a test changed in Keras' global state."""
    yield
    tf.keras.mixed_precision.set_global_policy(None)
    tf.keras.backend.set_floatx("float32")
    tf.keras.backend.clear_session()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Where CI is set, some tests may not be skipped."""
    outcome = yield
    report = outcome.get_result()
    fixtures = getattr(item, "fixturenames", ())
    if report.skipped and must_run(fixtures, os.environ, tf.__version__):
        report.outcome = "failed"
        report.longrepr = f"skipped, but CI is set: {report.longrepr}"


def must_run(
    fixtures: Collection[str], environment: Mapping[str, str], tensorflow: str
) -> bool:
    """Whether a test that uses these fixtures may not be skipped.

    In CI those against the published code may not, nor those of the TPU's compiler,
    which `run.sh` installs on Python 3.11.
    """
    if not environment.get("CI"):
        return False
    compiler = (
        tensorflow.startswith("2.15.")
        and sys.version_info[:2] == (3, 11)
        and environment.get("SIMCLR_LIBTPU") != "no"
    )
    return "golden_folder" in fixtures or (compiler and "compiler" in fixtures)


@pytest.fixture(scope="session", autouse=True)
def _indexes_of_records(tmp_path_factory):
    """Indexes of TFRecord files are kept out of the user's own cache."""
    folder = str(tmp_path_factory.mktemp("indexes"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIMCLR_TF_CACHE", folder)
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """A file's tests run in one process, unless they name a group of their own.

    Files with slow tests begin: what takes long may not be what is left at the end.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(str(item.path)))
