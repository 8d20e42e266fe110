"""A run folder repeats its run and refuses another's."""

import contextlib
import dataclasses
import os
import pathlib
import shutil
import tempfile

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.cli import recipe_flags
from simclr_tf.cli.main import COMMANDS
from simclr_tf.training import (
    Recipe,
    RunFolder,
    RunFolderError,
    build_model,
    pretrain,
)
from simclr_tf.training.flagfile import FORM, from_flagfile, to_flagfile
from simclr_tf.version import __version__
from tests import tiny

RECIPE = Recipe(
    dataset="folder:my phötos",
    labels=False,
    blur=True,
    head_layers=1,
    early_share=0.5,
    learning_rate=1e-5,
    epochs=7,
    image_size=48,
).resolve()


@pytest.mark.parametrize("recipe", [Recipe().resolve(), RECIPE])
def test_a_flagfile_gives_the_recipe_back(recipe):
    assert from_flagfile(to_flagfile(recipe), "flags.txt") == recipe


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("labels", (True, False)),
        ("seed", (0, 12, 4_294_967_295)),
        ("learning_rate", (0.0, 0.25, 1e-30, 0.1 + 0.2, 123456789.125)),
        ("dataset", ("", "text", "npz:a=b.npz", "folder:C:/my photos", "--")),
        ("test_dataset", (None, "tfds:x/y:1.0")),
        ("head_hidden_dim", (None, 7)),
    ],
)
def test_every_kind_of_setting_survives_the_flagfile(name, values):
    for value in values:
        recipe = dataclasses.replace(RECIPE, **{name: value})
        again = getattr(from_flagfile(to_flagfile(recipe), "flags.txt"), name)
        assert again == value
        assert type(again) is type(value)


def test_a_run_of_an_older_version_lacks_newer_settings_and_is_read():
    newer = ("--method=", "--eval=", "--eval_every=")
    lines = to_flagfile(RECIPE).splitlines(keepends=True)
    text = "".join(line for line in lines if not line.startswith(newer))
    assert text.count("\n") == len(lines) - 3
    assert from_flagfile(text, "run/flags.txt") == RECIPE


def test_a_run_that_says_no_version_resumes(tmp_path):
    run = RunFolder(str(tmp_path))
    run.start(RECIPE)
    first, *rest = (tmp_path / "flags.txt").read_text().splitlines(keepends=True)
    assert first == f"# Settings of simclr_tf {__version__}, form {FORM}.\n"
    (tmp_path / "flags.txt").write_text("".join(rest))
    run.start(RECIPE)
    assert run.recipe() == RECIPE
    # It is the run of that version still.
    assert (tmp_path / "flags.txt").read_text() == "".join(rest)


def test_a_run_of_a_newer_form_is_refused_in_one_line(tmp_path):
    run = RunFolder(str(tmp_path))
    run.start(RECIPE)
    text = (tmp_path / "flags.txt").read_text()
    first = f"# Settings of simclr_tf 97.1, form {FORM + 1}."
    newer = "\n".join([first, *text.splitlines()[1:], "--of_later_times=3\n"])
    (tmp_path / "flags.txt").write_text(newer)
    told = rf"form {FORM + 1}, which simclr_tf 97.1 wrote; .*knows those up to {FORM}"
    for attempt in (run.recipe, lambda: run.start(RECIPE)):
        with pytest.raises(RunFolderError, match=told) as refusal:
            attempt()
        assert "\n" not in str(refusal.value)
    assert (tmp_path / "flags.txt").read_text() == newer


def test_the_command_line_reads_the_file_too(tmp_path):
    run = RunFolder(str(tmp_path))
    run.start(RECIPE)
    values = COMMANDS["pretrain"].parse([f"--flagfile={run.flags}"])
    assert recipe_flags.recipe(values).resolve() == RECIPE


def test_a_flagfile_that_lacks_what_has_no_default_is_refused():
    lines = to_flagfile(RECIPE).splitlines(keepends=True)
    text = "".join(line for line in lines if not line.startswith("--encoder="))
    with pytest.raises(RunFolderError, match=r"run.flags.txt: encoder must be set"):
        from_flagfile(text, "run/flags.txt")


@pytest.mark.parametrize(
    "line",
    ["--epochs", "--epochs=", "--epochs=many", "--blur=maybe", "note", "- --seed=3"],
)
def test_an_unreadable_flagfile_names_the_line(line):
    text = f"--seed=3\n{line}\n"
    with pytest.raises(RunFolderError, match=f"run/flags.txt: cannot read .*'{line}'"):
        from_flagfile(text, "run/flags.txt")


@pytest.mark.parametrize("line", ["--epoch=3", "--moving_target=yes"])
def test_a_setting_of_another_version_is_told_as_such(line):
    name = line.partition("=")[0]
    told = f"run/flags.txt: {name} is no setting of simclr_tf .*which may be newer"
    with pytest.raises(RunFolderError, match=told):
        from_flagfile(f"{to_flagfile(RECIPE)}{line}\n", "run/flags.txt")


def test_comments_and_empty_lines_say_nothing(tmp_path):
    run = RunFolder(str(tmp_path))
    run.start(RECIPE)
    text = (tmp_path / "flags.txt").read_text()
    (tmp_path / "flags.txt").write_text(f"# mine\n\n  {text}// and more\n")
    assert run.recipe() == RECIPE
    run.start(RECIPE)


@pytest.mark.parametrize(
    ("name", "data", "read"),
    [
        ("flags.txt", b"--dataset=folder:f\xf6to\n", RunFolder.recipe),
        ("metrics.jsonl", b"\xff\xfe\n", RunFolder.read_metrics),
        ("result.json", b"\xff\xfe\n", RunFolder.read_result),
        ("result.json", b'{"steps": 3', RunFolder.read_result),
        ("result.json", b"", RunFolder.read_result),
        ("result.json", b"[]", RunFolder.read_result),
        ("data.json", b"{", RunFolder.read_data),
        ("data.json", b'{"calendar": 3}', RunFolder.read_data),
    ],
)
def test_a_damaged_file_is_named(tmp_path, name, data, read):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(RunFolderError, match=f"{name} is damaged"):
        read(RunFolder(str(tmp_path)))


def test_a_folder_that_is_a_file_is_a_mistake(tmp_path):
    (tmp_path / "run").write_text("precious")
    for path in ("run", "run/below"):
        with pytest.raises(RunFolderError, match=f"Cannot .*{path}.*--run"):
            RunFolder(str(tmp_path / path)).start(RECIPE)
    assert (tmp_path / "run").read_text() == "precious"


def test_a_folder_that_may_not_be_read_is_not_taken_for_an_empty_one(
    tmp_path, monkeypatch
):
    """As another user; who runs this test may be root, whom nothing stops."""

    def refuse(path, mode="r"):
        raise tf.errors.PermissionDeniedError(None, None, f"{path}; Permission denied")

    run = RunFolder(str(tmp_path))
    run.start(RECIPE)
    monkeypatch.setattr(tf.io.gfile, "GFile", refuse)
    for attempt in (run.is_run, run.recipe, lambda: run.start(RECIPE)):
        with pytest.raises(
            RunFolderError, match=r"Cannot read .*: Permission denied\."
        ):
            attempt()
    with pytest.raises(RunFolderError, match=r"Cannot write .*: Permission denied\."):
        run.write_result({})


@pytest.fixture
def another_user():
    """A folder, and the rights of a user whom modes bind, as they do not bind root."""
    folder = pathlib.Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder, contextlib.nullcontext if os.geteuid() else _as_nobody
    (folder / "run").chmod(0o755)
    shutil.rmtree(folder)


@contextlib.contextmanager
def _as_nobody():
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "told"),
    [
        (0o000, r"Cannot read .*/run.*Permission denied"),
        (0o555, r"Cannot write .*/run.*Permission denied"),
    ],
)
def test_rights_that_are_missing_are_told_before_a_step(another_user, mode, told):
    folder, user = another_user
    (folder / "run").mkdir()
    (folder / "run").chmod(mode)
    recipe = Recipe(
        dataset="shapes:40",
        labels=False,
        image_size=8,
        encoder=tiny.NAME,
        head_layers=1,
        batch_size=8,
        epochs=1,
    )
    with user(), pytest.raises(RunFolderError, match=told):
        pretrain(recipe, str(folder / "run"), say=lambda line: None)


def test_files_are_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    run = RunFolder(str(tmp_path))
    run.write_result({"steps": 3})

    def write_half(file, text):
        """As on a full disk."""
        pathlib.Path(file.name).write_text(text[:5])
        raise tf.errors.ResourceExhaustedError(None, None, "x; No space left")

    with monkeypatch.context() as patch:
        patch.setattr(tf.io.gfile.GFile, "write", write_half)
        told = r"Cannot write .*No space left\. Make room there: the same command"
        with pytest.raises(RunFolderError, match=told):
            run.write_result({"steps": 4})
    assert run.read_result() == {"steps": 3}


_FREE = {
    "rematerialize": True,
    "steps_per_execution": 9,
    "augment_on": "device",
    "eval": "knn",
    "eval_every": 7,
    "eval_dataset": "shapes:9",
    "test_dataset": "shapes:9",
}


@pytest.mark.parametrize("name", _FREE)
def test_what_leaves_the_training_the_same_may_change(tmp_path, name):
    run = RunFolder(str(tmp_path))
    run.start(RECIPE)
    run.start(dataclasses.replace(RECIPE, **{name: _FREE[name]}))


def test_start_again_with_the_same_settings_is_welcome(tmp_path):
    run = RunFolder(str(tmp_path / "new" / "run"))
    assert not run.is_run()
    run.start(RECIPE)
    assert run.is_run()
    run.append_metrics({"step": 1, "epoch": 1})
    run.start(RECIPE)
    assert run.recipe() == RECIPE
    assert run.read_metrics() == [{"step": 1, "epoch": 1}]


def test_an_empty_folder_is_welcome(tmp_path):
    RunFolder(str(tmp_path)).start(RECIPE)
    assert RunFolder(str(tmp_path)).recipe() == RECIPE


def test_other_settings_are_refused_by_name_and_the_run_left_alone(tmp_path):
    run = RunFolder(str(tmp_path / "run"))
    run.start(RECIPE)
    with pytest.raises(RunFolderError) as refusal:
        run.start(dataclasses.replace(RECIPE, epochs=8, encoder="resnet18"))
    told = str(refusal.value)
    assert "epochs was 7 and is 8" in told
    assert "encoder was resnet50 and is resnet18" in told
    assert told.count(" was ") == 2
    assert "choose another folder with --run" in told
    assert run.recipe() == RECIPE


_FIXED = [
    field
    for field in dataclasses.fields(Recipe)
    if hasattr(RECIPE, field.name) and field.name not in _FREE
]


# Where not any text or number will do.
_OTHERS = {
    "views": "crop(0.5)|vflip",
    "method": "dcl",
    "extend_epochs": "4,3",
    "value_range": "0,9",
    "channels": 1,
}


@pytest.mark.parametrize("field", _FIXED, ids=lambda field: field.name)
def test_no_setting_may_change_unnoticed(field, tmp_path):
    resolved = dataclasses.replace(
        RECIPE,
        head_hidden_dim=9,
        init="runs/a",
        extend_epochs="3",
        channels=3,
        value_range="0,4095",
    )
    value, choices = getattr(resolved, field.name), field.metadata["choices"]
    if choices:
        other = next(choice for choice in reversed(choices) if choice != value)
    elif isinstance(value, bool):
        other = not value
    elif isinstance(value, float):
        other = value / 2
    elif field.name in _OTHERS:
        other = _OTHERS[field.name]
    else:
        other = "resnet34" if isinstance(value, str) else value + 1
    run = RunFolder(str(tmp_path / "run"))
    run.start(resolved)
    changed = dataclasses.replace(resolved, **{field.name: other})
    with pytest.raises(RunFolderError) as refusal:
        run.start(changed)
    assert f": {field.name} was {value} and is {other}. " in str(refusal.value)


def test_a_run_that_has_ended_may_be_extended_and_no_other(tmp_path):
    run = RunFolder(str(tmp_path))
    run.start(RECIPE)
    longer = dataclasses.replace(RECIPE, extend_epochs="3")
    with pytest.raises(RunFolderError, match="holds a run that has not ended"):
        run.start(longer)
    run.write_result({"epochs": 7})
    with pytest.raises(RunFolderError, match="learning_rate was 1e-05 and is 1"):
        run.start(dataclasses.replace(longer, learning_rate=1.0))
    assert run.recipe() == RECIPE
    run.start(longer)
    run.start(longer)
    assert run.recipe() == longer
    # Ten epochs have not ended.
    twice = dataclasses.replace(RECIPE, extend_epochs="3,2")
    with pytest.raises(RunFolderError, match="holds a run that has not ended"):
        run.start(twice)
    run.write_result({"epochs": 10})
    run.start(twice)
    with pytest.raises(RunFolderError, match="extend_epochs was 3,2 and is 3"):
        run.start(longer)


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(RunFolderError, match=r"not empty and holds no run.*--run"):
        RunFolder(str(tmp_path)).start(RECIPE)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    assert (tmp_path / "thesis.tex").read_text() == "precious"


def test_a_folder_without_run_or_checkpoint_says_so(tmp_path):
    with pytest.raises(RunFolderError, match=r"holds no run.*simclr pretrain --run"):
        RunFolder(str(tmp_path)).recipe()
    run = RunFolder(str(tmp_path / "run"))
    run.start(RECIPE)
    with pytest.raises(RunFolderError, match="no checkpoint yet"):
        run.load_model()


def test_a_run_that_has_not_ended_is_told_as_such(tmp_path):
    run, said = RunFolder(str(tmp_path)), []
    tf.train.Checkpoint(step=tf.Variable(21)).write(f"{run.checkpoints}/ckpt-21")
    run.told_where_unfinished(said.append)
    assert said == [
        f"{tmp_path} has not ended: its newest state is taken, after step 21."
    ]
    run.write_result({"steps": 21})
    run.told_where_unfinished(said.append)
    assert len(said) == 1


def test_a_model_computes_in_the_precision_asked_for(tmp_path):
    """As `simclr knn`, `linear_eval`, `embed` and `export` ask for float32."""
    said = Recipe(
        dataset="shapes:20",
        image_size=16,
        encoder=tiny.NAME,
        batch_size=4,
        precision="bfloat16",
    )
    run = RunFolder(str(tmp_path / "run"))
    run.start(said.resolve())
    trained = build_model(said.resolve())
    tf.train.Checkpoint(model=trained).write(f"{run.checkpoints}/ckpt-1")
    images = np.random.default_rng(0).random([2, 16, 16, 3], np.float32)
    wide = run.load_model(precision="float32")
    assert {layer.compute_dtype for layer in wide.encoder.layers} == {"float32"}
    for ours, theirs in zip(wide.get_weights(), trained.get_weights()):
        np.testing.assert_array_equal(ours, theirs)
    narrow = run.load_model()
    assert {layer.compute_dtype for layer in narrow.encoder.layers} == {"bfloat16"}
    np.testing.assert_array_equal(narrow(images), trained(images))


def test_metrics_after_a_step_can_be_dropped(tmp_path):
    run = RunFolder(str(tmp_path))
    run.keep_metrics_until(20)
    assert run.read_metrics() == []
    assert list(tmp_path.iterdir()) == []
    rows = [{"step": 10 * n, "epoch": n, "loss": 1.0 / n} for n in (1, 2, 3)]
    for row in rows:
        run.append_metrics(row)
    run.keep_metrics_until(30)
    assert run.read_metrics() == rows
    run.keep_metrics_until(29)
    assert run.read_metrics() == rows[:2]
    run.append_metrics(rows[2])
    assert run.read_metrics() == rows
    run.keep_metrics_until(0)
    assert run.read_metrics() == []
