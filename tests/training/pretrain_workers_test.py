"""Two worker processes train one run: together, stopped, killed, resumed."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from tests import tiny
from tests.distribution.local_cluster import configs

pytestmark = pytest.mark.slow

# Workers agree to stop within two seconds: a fast machine must have steps left then.
_EPOCHS = 12


@pytest.fixture(scope="module")
def command(images_npz, tmp_path_factory):
    """A pretraining without its run folder, of 32 steps an epoch."""
    path = tmp_path_factory.mktemp("images") / "images.npz"
    with np.load(images_npz) as arrays:
        np.savez(path, images=arrays["x_train"][:256], labels=arrays["y_train"][:256])
    settings = {
        "dataset": f"npz:{path}",
        "image_size": 16,
        "encoder": tiny.NAME,
        "color_strength": 0,
        "blur": False,
        "batch_size": 8,
        "epochs": _EPOCHS,
        "early_share": 0,
        "pretrain_on_all": True,
        "precision": "float32",
    }
    flags = [f"--{name}={value}" for name, value in settings.items()]
    return [sys.executable, "-m", "simclr_tf", "pretrain", *flags]


def _start(command, run, count=2):
    """The workers' processes, which append what they say to a file beside the run."""
    processes = []
    for index, config in enumerate(configs(count)):
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        if count > 1:
            environment["TF_CONFIG"] = config
        with open(f"{run}.{index}.txt", "a") as said:
            processes.append(
                subprocess.Popen(
                    [*command, f"--run={run}"],
                    env=environment,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                )
            )
    return processes


def _said(run, index=0):
    with open(f"{run}.{index}.txt") as file:
        return file.read()


def _newest_state(run):
    return tf.train.latest_checkpoint(str(run / "checkpoints"))


def _await_a_state(run, processes, before=None):
    """Returns once a state other than one `before` is saved."""
    end = time.monotonic() + 240
    while _newest_state(run) == before:
        assert time.monotonic() < end, _said(run)
        assert all(process.poll() is None for process in processes), _said(run)
        time.sleep(0.05)


def _weights(run):
    """What the model is at the end, without keras-cv's unused generators."""
    reader = tf.train.load_checkpoint(str(run / "checkpoints"))
    names = [
        name
        for name in reader.get_variable_to_shape_map()
        if re.match("(model|optimizer)/", name) and "_random_generator" not in name
    ]
    assert len(names) > 20
    return {name: reader.get_tensor(name) for name in sorted(names)}


def _assert_same(run, other):
    ours, theirs = _weights(run), _weights(other)
    assert ours.keys() == theirs.keys()
    for name, values in theirs.items():
        np.testing.assert_array_equal(ours[name], values, err_msg=name)
    # Means over an epoch, which two workers' parts add up to in another order.
    for row, expected in zip(_metrics(run), _metrics(other)):
        assert row == pytest.approx(expected, rel=1e-6)
    assert len(_metrics(run)) == len(_metrics(other)) == _EPOCHS


def _metrics(run):
    rows = (run / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(row) for row in rows]
    for row in rows:
        del row["images_per_second"]
    return rows


@pytest.fixture(scope="module")
def whole(command, tmp_path_factory):
    """A run of two workers that nothing disturbed."""
    run = tmp_path_factory.mktemp("whole") / "run"
    for process in _start(command, run):
        assert process.wait(timeout=400) == 0, _said(run)
    return run


@pytest.fixture(scope="module")
def one_step(command, tmp_path_factory):
    """The metrics of a run of one step, on devices that are asked for."""
    folder = tmp_path_factory.mktemp("one_step")

    def metrics(name, workers, *flags):
        run = folder / name
        flags = ["--batch_size=256", "--epochs=1", "--learning_rate=0.01", *flags]
        for process in _start([*command, *flags], run, workers):
            assert process.wait(timeout=400) == 0, _said(run)
        (found,) = _metrics(run)
        return found

    return metrics


def test_a_step_is_the_same_wherever_it_is_taken(one_step):
    """Later steps multiply what float32 rounded, and so does a long first one.

    The kNN accuracy after it counts right answers among 51: rounding may turn one
    between two classes with all but equal votes.
    """
    alone = one_step("alone", 1)
    knn_accuracy = alone.pop("knn_accuracy")
    for other in (
        one_step("workers", 2),
        one_step("devices", 1, "--logical_devices=2", "--augment_on=device"),
    ):
        assert other.pop("knn_accuracy") == pytest.approx(knn_accuracy, abs=1.01 / 51)
        assert other == pytest.approx(alone, rel=1e-5)


def test_the_chief_speaks_and_writes(whole):
    assert json.loads((whole / "result.json").read_text())["replicas"] == 2
    assert f"epoch {_EPOCHS}/{_EPOCHS}" in _said(whole)
    assert "worker 1 of 2" in _said(whole, 1)
    assert "epoch" not in _said(whole, 1)


def test_a_worker_stopped_or_killed_ends_all_which_resume(command, whole, tmp_path):
    run = tmp_path / "run"
    processes = _start(command, run)
    _await_a_state(run, processes)
    processes[1].send_signal(signal.SIGTERM)
    assert [process.wait(timeout=60) for process in processes] == [75, 75]
    assert "Stopped after step" in _said(run)

    stopped = _newest_state(run)
    processes = _start(command, run)
    _await_a_state(run, processes, stopped)
    processes[1].kill()
    assert processes[0].wait(timeout=60) == 75
    assert re.search("Of 2 workers (worker 1|another worker) is gone", _said(run))
    assert "Traceback" not in _said(run)

    for process in _start(command, run):
        assert process.wait(timeout=400) == 0, _said(run)
    assert _said(run).count("Resuming after step") == 2
    _assert_same(run, whole)
