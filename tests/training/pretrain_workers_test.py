"""Two worker processes train one run: together, stopped, killed, resumed."""

import dataclasses
import importlib
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

from simclr_tf.distribution.crew import Crew
from simclr_tf.evaluators import floors
from simclr_tf.evaluators.classifiers import KnnEvaluator
from simclr_tf.progress import Progress
from simclr_tf.training import Recipe, Stopped, judge, pretrain
from simclr_tf.training.build import build_model
from simclr_tf.training.flagfile import to_flagfile
from tests import tiny
from tests.distribution.local_cluster import configs

pytestmark = pytest.mark.slow

_WORKERS, _TWO = (
    pytest.mark.xdist_group(f"replicas {count}") for count in ("of workers", 2)
)


@pytest.fixture(scope="module")
def recipe(images_npz, tmp_path_factory):
    """32 steps an epoch."""
    path = tmp_path_factory.mktemp("images") / "images.npz"
    with np.load(images_npz) as arrays:
        np.savez(path, images=arrays["x_train"][:256], labels=arrays["y_train"][:256])
    return Recipe(
        dataset=f"npz:{path}",
        labels=False,
        image_size=16,
        encoder=tiny.NAME,
        head_layers=1,
        color_strength=0.0,
        blur=False,
        batch_size=8,
        epochs=4,
        early_share=0.0,
        pretrain_on_all=True,
        precision="float32",
    )


def _only_knn(patch):
    """At the beginning and the end too, where views are measured else."""
    for module in (floors, judge):
        patch.setattr(module, "verdict_evaluators", lambda: [KnnEvaluator()])


def _train(strategy, recipe, run, stop_after=None, only_knn=False):
    """What a worker says; the last may be sent a signal after some steps."""
    lines, taken = [], iter(range(1, 10_000))
    crew = Crew(strategy)
    stops = crew.count == 1 or crew.task == ("worker", 1)

    def due(self):
        if stops and next(taken) == stop_after:
            signal.raise_signal(signal.SIGTERM)
        return False

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Progress, "due", due)
        if only_knn:
            _only_knn(patch)
        try:
            pretrain(
                recipe, str(run), strategy=strategy, log_every=10, say=lines.append
            )
        except Stopped as stopped:
            lines.append(str(stopped))
    return "\n".join(lines)


def _start(recipe, run):
    """The workers' processes, which append what they say to a file beside the run."""
    flags = run.parent / "flags.txt"
    flags.write_text(to_flagfile(recipe))
    command = [sys.executable, "-m", "simclr_tf", "pretrain", f"--flagfile={flags}"]
    processes = []
    for index, config in enumerate(configs(2)):
        with open(f"{run}.{index}.txt", "a") as said:
            processes.append(
                subprocess.Popen(
                    [*command, f"--run={run}", "--log_every=10"],
                    env={**os.environ, "TF_CONFIG": config},
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
    assert len(names) > 10
    return {name: reader.get_tensor(name) for name in sorted(names)}


def _assert_same(run, other):
    ours, theirs = _weights(run), _weights(other)
    assert ours.keys() == theirs.keys()
    for name, values in theirs.items():
        np.testing.assert_array_equal(ours[name], values, err_msg=name)
    # Means over an epoch, which two workers' parts add up to in another order.
    for row, expected in zip(_metrics(run), _metrics(other)):
        assert row == pytest.approx(expected, rel=1e-6)
    assert len(_metrics(run)) == len(_metrics(other)) > 3
    assert "gradient_norm" in _metrics(run)[0]


def _metrics(run):
    rows = (run / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(row) for row in rows]
    for row in rows:
        del row["images_per_second"]
    return rows


@pytest.fixture(scope="module")
def whole(recipe, workers, tmp_path_factory):
    """A run of two workers that nothing disturbed, and what each said."""
    run = tmp_path_factory.mktemp("whole") / "run"
    return run, workers(_train, recipe=recipe, run=run)


def _copies(strategy, recipe, run):
    """What each replica holds of the model and its optimizer after a run."""
    models = []

    def keep(*arguments, **settings):
        models.append(build_model(*arguments, **settings))
        return models[-1]

    with pytest.MonkeyPatch.context() as patch:
        module = importlib.import_module("simclr_tf.training.pretrain")
        patch.setattr(module, "build_model", keep)
        _train(strategy, recipe, run)
    (model,) = models
    return {
        variable.name: [
            copy.numpy() for copy in strategy.experimental_local_results(variable)
        ]
        for variable in (*model.variables, *model.optimizer.variables)
        if variable.dtype.is_floating
    }


@_TWO
@pytest.mark.exhaustive
@pytest.mark.parametrize("optimizer", ["lars", "adamw"])
def test_replicas_hold_the_same_weights_and_slots(
    recipe, replicas, tmp_path, optimizer
):
    """Also after a resume, which restores what the strategy made."""
    recipe = dataclasses.replace(
        recipe, optimizer=optimizer, augment_on="device", epochs=1, eval=""
    )
    replicas(2).run(_train, recipe=recipe, run=tmp_path / "run", stop_after=2)
    copies = replicas(2).run(_copies, recipe=recipe, run=tmp_path / "run")
    assert any("conv2d/kernel" in name and "m/" in name for name in copies)
    for name, values in copies.items():
        assert len(values) == 2, name
        np.testing.assert_array_equal(*values, err_msg=name)


@pytest.fixture(scope="module")
def one_step(recipe):
    """Later steps multiply what float32 rounded, and so does a long first one."""
    return dataclasses.replace(
        recipe, labels=True, batch_size=256, epochs=1, learning_rate=0.01
    )


def _assert_same_step(run, alone):
    """The row of two replicas is that of one process, but for a rounding.

    The kNN accuracy after it counts right answers among 51: rounding may turn one
    between two classes with all but equal votes.
    """
    result = json.loads((run / "result.json").read_text())
    assert result["replicas"] == 2
    (row,), (expected,) = _metrics(run), _metrics(alone)
    assert ("knn_accuracy" in row) == ("knn_accuracy" in expected)
    accuracies = [each.pop("knn_accuracy", 0.0) for each in (row, expected)]
    assert accuracies[0] == pytest.approx(accuracies[1], abs=1.01 / 51)
    assert row == pytest.approx(expected, rel=1e-5)


@_WORKERS
def test_a_step_of_workers_is_that_of_one_process(
    one_step, workers, tmp_path, monkeypatch
):
    """They measure together before it and after it."""
    recipe = dataclasses.replace(one_step, eval="knn")
    _only_knn(monkeypatch)
    pretrain(recipe, str(tmp_path / "alone"), say=lambda line: None)
    chief, other = workers(
        _train, recipe=recipe, run=tmp_path / "workers", only_knn=True
    )
    assert "Measuring the encoder before it learns" in chief
    assert "epoch 1/1" in chief
    assert other == ""
    _assert_same_step(tmp_path / "workers", tmp_path / "alone")
    assert "knn_accuracy" in _metrics(tmp_path / "workers")[0]


@_TWO
@pytest.mark.parametrize(
    "measures", ["", pytest.param("knn,geometry", marks=pytest.mark.exhaustive)]
)
def test_a_step_of_devices_is_that_of_one(one_step, replicas, tmp_path, measures):
    """They make views themselves, and alone the host does."""
    recipe = dataclasses.replace(one_step, eval=measures)
    pretrain(recipe, str(tmp_path / "alone"), say=lambda line: None)
    recipe = dataclasses.replace(recipe, augment_on="device")
    replicas(2).run(_train, recipe=recipe, run=tmp_path / "devices")
    _assert_same_step(tmp_path / "devices", tmp_path / "alone")


@_WORKERS
@pytest.mark.exhaustive
def test_the_chief_speaks_and_writes(recipe, whole):
    run, (chief, other) = whole
    assert json.loads((run / "result.json").read_text())["replicas"] == 2
    assert f"epoch {recipe.epochs}/{recipe.epochs}" in chief
    assert other == ""


@_WORKERS
@pytest.mark.exhaustive
def test_a_worker_stopped_or_killed_ends_all_which_resume(
    recipe, whole, workers, tmp_path
):
    run = tmp_path / "run"
    chief, other = workers(_train, recipe=recipe, run=run, stop_after=2)
    assert "Stopped after step 2 of 128; the state is saved" in chief
    assert other == (
        "Stopped after step 2 of 128; the chief of the workers saves the state."
    )

    _kill_the_second(recipe, run)
    assert "Resuming after step 2." in _said(run)
    assert "worker 1 of 2" in _said(run, 1)
    assert "epoch" not in _said(run, 1)

    chief, _ = workers(_train, recipe=recipe, run=run)
    assert re.search(r"Resuming after step (32|64|96)\.", chief)
    _assert_same(run, whole[0])


def _kill_the_second(recipe, run):
    """Kills a worker's process once the workers have saved a state."""
    before = _newest_state(run)
    processes = _start(recipe, run)
    _await_a_state(run, processes, before)
    processes[1].kill()
    assert processes[0].wait(timeout=60) == 75
    assert re.search("Of 2 workers (worker 1|another worker) is gone", _said(run))
    assert "Traceback" not in _said(run)


@_WORKERS
@pytest.mark.exhaustive
def test_processes_of_the_command_are_stopped_killed_and_resumed(recipe, tmp_path):
    """With labels, and a signal whenever it comes."""
    # Workers agree to stop within two seconds: a fast machine must have steps left.
    recipe = dataclasses.replace(recipe, labels=True, epochs=12)
    whole, run = tmp_path / "whole" / "run", tmp_path / "run"
    whole.parent.mkdir()
    for process in _start(recipe, whole):
        assert process.wait(timeout=400) == 0, _said(whole)
    assert "epoch 12/12" in _said(whole)

    processes = _start(recipe, run)
    _await_a_state(run, processes)
    processes[1].send_signal(signal.SIGTERM)
    assert [process.wait(timeout=60) for process in processes] == [75, 75]
    assert "Stopped after step" in _said(run)

    _kill_the_second(recipe, run)

    for process in _start(recipe, run):
        assert process.wait(timeout=400) == 0, _said(run)
    assert _said(run).count("Resuming after step") == 2
    _assert_same(run, whole)
