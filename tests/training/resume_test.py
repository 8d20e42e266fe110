"""Whatever ends a run, going on gives the weights of a run that nothing ended."""

import contextlib
import dataclasses
import json
import resource

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.checkpoints.files import checkpoint_steps
from simclr_tf.errors import UserError
from simclr_tf.progress import Progress
from simclr_tf.training import (
    Diverged,
    Recipe,
    RunFolder,
    RunFolderError,
    Stopped,
    pretrain,
    run_loop,
)
from simclr_tf.training.checkpoints import Checkpoints
from simclr_tf.training.journal import Journal
from simclr_tf.training.run_lock import RunLock
from tests import tiny
from tests.training.ended_runs import after, assert_same_state, rows_of, send_sigterm

pytestmark = pytest.mark.slow

STEPS = 3  # an epoch


class Killed(BaseException):
    """Ends a run as a kill does: nothing is saved on the way out."""


def _write_images(path, count):
    generator = np.random.default_rng(count)
    images = generator.integers(0, 256, [count, 16, 16, 3], np.uint8)
    test = {"x_test": images[:16], "y_test": np.arange(16) % 2}
    np.savez(path, x_train=images, y_train=np.arange(count) % 2, **test)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """Two epochs of three steps, without labels."""
    path = tmp_path_factory.mktemp("images") / "images.npz"
    _write_images(path, 8 * STEPS)
    return Recipe(
        dataset=f"npz:{path}",
        labels=False,
        image_size=16,
        encoder=tiny.NAME,
        head_layers=1,
        head_out_dim=8,
        # Measures take as long to trace as the step.
        eval="",
        color_strength=0.0,
        blur=False,
        augment_on="device",
        batch_size=8,
        epochs=2,
        early_share=0.0,
        learning_rate=0.1,
        precision="float32",
    )


def _train(recipe, run, **options):
    lines = []
    with contextlib.suppress(Killed):
        pretrain(recipe, str(run), **{"say": lines.append, **options})
    return "\n".join(lines)


def _assert_same(run, whole):
    assert rows_of(run) == rows_of(whole)
    assert_same_state(run, whole)


def _kill():
    raise Killed


@pytest.fixture(scope="module")
def whole(recipe, tmp_path_factory):
    """A run that nothing ended, but for a signal in its last step: all is done."""
    run = tmp_path_factory.mktemp("whole") / "run"
    with after(2 * STEPS, send_sigterm):
        _train(recipe, run)
    assert [row["step"] for row in rows_of(run)] == [STEPS, 2 * STEPS]
    return run


def test_crashed_and_stopped_in_a_folder_named_like_a_pattern(
    recipe, tmp_path, monkeypatch
):
    """With labels, measures, dropout, a size of its own for each epoch's views, and
    each step noted down.
    """
    log = {"log_every": 1}
    recipe = dataclasses.replace(
        recipe,
        labels=True,
        eval="knn",
        eval_every="2steps",
        encoder=tiny.DROPOUT_NAME,
        early_share=0.5,
        early_view_size=12,
    )
    whole, run = tmp_path / "whole", tmp_path / "run[v2]*\\b"
    _train(recipe, whole, **log)
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save", _crash_from(2))
        with pytest.raises(OSError, match="disk full"):
            _train(recipe, run, checkpoint_minutes=0, **log)
    # Nothing is saved on the way out; the row of step 2 is already written.
    assert checkpoint_steps(str(run / "checkpoints")) == [1]
    assert [row["step"] for row in rows_of(run)] == [1, 2]
    with after(2, send_sigterm), pytest.raises(Stopped, match="after step 3 of 6"):
        _train(recipe, run, **log)
    said = _train(recipe, run, **log)
    assert "Resuming after step 3." in said
    _assert_same(run, whole)
    rows = rows_of(run)
    assert [row["epoch"] for row in rows] == [1 / 3, 2 / 3, 1, 4 / 3, 5 / 3, 2]
    assert ["knn_accuracy" in row for row in rows] == [False, True] * 3
    result = RunFolder(str(run)).read_result()
    assert result["metrics"].items() >= rows[-1].items()
    # The floors are those of the beginning, measured once.
    assert "before it learns" not in said
    assert result["floors"]["start"].keys() >= {"knn_accuracy", "collapsed"}
    undisturbed = RunFolder(str(whole)).read_result()
    for name in ("floors", "verdict"):
        assert result[name] == undisturbed[name]
    assert [path.name for path in run.iterdir() if "lock" in path.name] == []
    # What knn, embed and export ask.
    RunFolder(str(run)).load_model()
    assert "All 6 steps were taken before" in _train(recipe, run, **log)


@pytest.mark.parametrize(
    "method",
    [
        pytest.param("jigsaw", marks=pytest.mark.exhaustive),
        pytest.param("supervised", marks=pytest.mark.exhaustive),
        pytest.param("supcon", marks=pytest.mark.exhaustive),
        pytest.param("dcl", marks=pytest.mark.exhaustive),
        pytest.param("rotation", marks=pytest.mark.exhaustive),
    ],
)
def test_every_method_goes_on_as_if_never_stopped(recipe, tmp_path, method):
    """With views made on the host, and the seeds of pieces beside them."""
    recipe = dataclasses.replace(
        recipe,
        method=method,
        labels=method in ("supcon", "supervised"),
        augment_on="host",
    )
    whole, run = tmp_path / "whole", tmp_path / "run"
    said = _train(recipe, whole)
    settings = {"jigsaw": ", permutations 64", "rotation": "", "supervised": ""}
    assert f"Method: {method}{settings.get(method, ', temperature 0.2')}" in said
    assert ", ;" not in said
    with after(4, send_sigterm), pytest.raises(Stopped, match="after step 4 of 6"):
        _train(recipe, run)
    _train(recipe, run)
    _assert_same(run, whole)
    RunFolder(str(run)).load_model()


@pytest.mark.parametrize("method", ["supcon", "supervised"])
def test_labels_that_are_learned_from_are_asked_for_before_a_run_is_begun(
    recipe, tmp_path, method
):
    path = tmp_path / "bare.npz"
    with np.load(recipe.dataset.partition(":")[2]) as arrays:
        np.savez(path, images=arrays["x_train"])
    bare = dataclasses.replace(
        recipe, dataset=f"npz:{path}", method=method, labels=True
    )
    told = f"--method={method} learns from labels, and npz:"
    with pytest.raises(UserError, match=told):
        _train(bare, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def _crash_from(first):
    """A `Checkpoints.save` that fails from a step on."""
    save = Checkpoints.save

    def crash(self, step, seconds):
        if step >= first:
            raise OSError("disk full")
        return save(self, step, seconds)

    return crash


@pytest.mark.exhaustive
def test_a_state_that_the_disk_does_not_take_costs_its_steps_alone(
    recipe, whole, tmp_path, monkeypatch
):
    """In the middle of a file; the same command goes on once there is room."""
    run, save = tmp_path / "run", Checkpoints.save
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def save_without_room(self, step, seconds):
        if step == 4:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1024, limits[1]))
        return save(self, step, seconds)

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save", save_without_room)
        try:
            with pytest.raises(RunFolderError, match=r"Cannot write .*unfinished-4"):
                _train(recipe, run, checkpoint_minutes=0)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "Resuming after step 3." in _train(recipe, run)
    _assert_same(run, whole)


@pytest.mark.exhaustive
def test_a_damaged_newest_state_costs_its_steps_alone(recipe, whole, tmp_path):
    run = tmp_path / "run"
    with after(5, _kill):
        _train(recipe, run, checkpoint_minutes=0)
    assert checkpoint_steps(str(run / "checkpoints")) == [3, 4]
    index = run / "checkpoints" / "ckpt-4.index"
    index.write_bytes(index.read_bytes()[:-10])
    with open(run / "metrics.jsonl", "a") as file:
        file.write('{"step": 4, "lo')
    said = _train(recipe, run)
    assert "ckpt-4 is damaged" in said
    assert "1 line was damaged" in said
    assert "Resuming after step 3." in said
    _assert_same(run, whole)


@pytest.mark.exhaustive
def test_a_finished_run_without_its_figures_says_so(recipe, whole, tmp_path):
    run = tmp_path / "run"
    tf.io.gfile.makedirs(str(run / "checkpoints"))
    for path in [whole / "flags.txt", *(whole / "checkpoints").iterdir()]:
        (run / path.relative_to(whole)).write_bytes(path.read_bytes())
    (run / "metrics.jsonl").write_text("")
    (run / "result.json").write_text('{"steps"')
    assert "metrics.jsonl is missing" in _train(recipe, run)
    result = json.loads((run / "result.json").read_text())
    assert result["steps"] == 2 * STEPS
    assert result["metrics"] == {}
    assert result["images_per_second"] is None


def _poison(monkeypatch, step, place=0):
    """Has the weight at a place become NaN in a step, as an overflow does."""
    make = run_loop.make_train_function

    def poisoned(learn, strategy):
        take, taken = make(learn, strategy), iter(range(1, 99))

        def train(batches, steps):
            values = take(batches, steps)
            if next(taken) == step:
                weight = learn.__self__.trainable_variables[place]
                weight.assign(weight * np.nan)
            return values

        return train

    monkeypatch.setattr(run_loop, "make_train_function", poisoned)


@pytest.mark.parametrize(
    "ended_by",
    [
        "signal",
        pytest.param("minutes", marks=pytest.mark.exhaustive),
        pytest.param("epoch", marks=pytest.mark.exhaustive),
    ],
)
def test_weights_that_are_no_numbers_are_never_saved(
    recipe, tmp_path, monkeypatch, ended_by
):
    run = tmp_path / "run"
    _poison(monkeypatch, 2 if ended_by != "epoch" else 3)
    event = send_sigterm if ended_by == "signal" else lambda: None
    minutes = 0 if ended_by == "minutes" else 5
    told = r"(became infinite or nan|loss became nan) in epoch 1: lower --learning_rate"
    with after(2, event), pytest.raises(Diverged, match=told) as diverged:
        _train(recipe, run, checkpoint_minutes=minutes)
    kept = checkpoint_steps(str(run / "checkpoints"))
    assert kept == ([1] if ended_by == "minutes" else [])
    last = "last good state, after step 1, is in" if kept else "No state was saved"
    assert last in str(diverged.value)
    assert rows_of(run) == []
    assert not (run / "result.json").exists()


def test_an_epoch_of_one_step_whose_loss_was_that_of_the_first_weights(
    recipe, tmp_path
):
    recipe = dataclasses.replace(
        recipe, batch_size=24, epochs=1, learning_rate=1e38, warmup_epochs=0.0
    )
    with pytest.raises(Diverged, match="in epoch 1: lower --learning_rate"):
        _train(recipe, tmp_path / "run")
    assert rows_of(tmp_path / "run") == []
    assert checkpoint_steps(str(tmp_path / "run" / "checkpoints")) == []
    assert not (tmp_path / "run" / "result.json").exists()
    lower = dataclasses.replace(recipe, learning_rate=0.1)
    with pytest.raises(RunFolderError, match=r"learning_rate was 1e\+38 and is 0\.1"):
        _train(lower, tmp_path / "run")


def test_nan_is_looked_for_whenever_progress_is_shown(recipe, tmp_path, monkeypatch):
    # The head's: on some processors a relu makes 0 of the NaN that the encoder's makes.
    _poison(monkeypatch, 1, place=-1)
    monkeypatch.setattr(Progress, "due", lambda self: True)
    with pytest.raises(Diverged, match="loss became nan in epoch 1"):
        _train(recipe, tmp_path / "run")


def test_a_folder_in_use_is_refused(recipe, tmp_path):
    (tmp_path / "run").mkdir()
    lock = RunLock(str(tmp_path / "run" / "lock.json"), lambda line: None)
    with lock, pytest.raises(RunFolderError, match="in use by process"):
        _train(recipe, tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.parametrize("count", [40, pytest.param(16, marks=pytest.mark.exhaustive)])
def test_changed_data_is_refused_or_begins_an_epoch_anew(
    recipe, tmp_path, monkeypatch, count
):
    run, path = tmp_path / "run", tmp_path / "images.npz"
    _write_images(path, 8 * STEPS)
    recipe = dataclasses.replace(recipe, dataset=f"npz:{path}")
    with after(4, send_sigterm), pytest.raises(Stopped):
        _train(recipe, run)
    before = rows_of(run)
    _write_images(path, count)
    told = rf"images were 24 and are {count}.*--accept_changed_data: epoch 2 then"
    with pytest.raises(RunFolderError, match=told):
        _train(recipe, run)
    with monkeypatch.context() as patch:
        # Before its first step.
        patch.setattr(run_loop.RunLoop, "run_to_end", lambda self: _kill())
        said = _train(recipe, run, accept_changed_data=True)
    assert "Epoch 2 begins anew with the data as it is now" in said
    said = _train(recipe, run)  # Accepted once is accepted.
    assert "Resuming after step 4." in said
    rows = rows_of(run)
    assert rows[:1] == before
    end = 4 + count // 8
    assert [(row["step"], row["epoch"]) for row in rows] == [(3, 1), (end, 2)]
    result = RunFolder(str(run)).read_result()
    assert result["steps"] == end


def test_states_are_saved_every_so_many_steps_and_by_no_clock(
    recipe, tmp_path, monkeypatch
):
    """Before each row and each state the run looks whether it still has its lock."""
    done = []

    def noting(kind, name, note):
        original = getattr(kind, name)

        def noted(self, *arguments):
            done.append(note(*arguments))
            return original(self, *arguments)

        monkeypatch.setattr(kind, name, noted)

    noting(RunLock, "require_held", lambda: "looked")
    noting(Checkpoints, "save", lambda step, seconds: f"saved {step}")
    noting(Journal, "write", lambda row: f"wrote {row['step']}")
    _train(recipe, tmp_path / "run", checkpoint_steps=2, log_every=4)
    after = [each for each in zip(done, done[1:]) if each[1] != "looked"]
    assert after == [
        ("looked", each)
        for each in (
            *("saved 2", "wrote 3", "saved 3", "wrote 4", "saved 4"),
            *("wrote 6", "saved 6"),
        )
    ]


@pytest.mark.parametrize("name", ["log_every", "checkpoint_steps"])
def test_a_negative_number_of_steps_is_refused(recipe, tmp_path, name):
    with pytest.raises(UserError, match=f"{name} must be 0 or more, got -1"):
        _train(recipe, tmp_path / "run", **{name: -1})
    assert not (tmp_path / "run").exists()
