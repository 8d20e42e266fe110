"""A run folder is read as far as it goes, and what is missing is said."""

import pytest

from simclr_tf.report.run_figures import names_apart, read_run, settings_of
from simclr_tf.training import RunFolderError
from tests.report.made_runs import rows, write_figures


def test_what_lies_in_the_folder_is_read(tmp_path):
    write_figures(tmp_path, floors={"start": {"knn_accuracy": 0.1}})
    (tmp_path / "flags.txt").write_text("# Settings.\n--views=crop|flip\n--epochs=3\n")
    (tmp_path / "knn.json").write_text('{"top1": 0.5}')
    counts = '{"confusion": [[1]], "classes": ["a"], "rows": "true classes"}'
    (tmp_path / "knn_confusion.json").write_text(counts)
    run = read_run(str(tmp_path))
    assert run.settings == {"views": "crop|flip", "epochs": "3"}
    found = {"top1": 0.5, "confusion": [[1]], "classes": ["a"]}
    assert run.evaluations == {"knn": found}
    assert run.floors == {"start": {"knn_accuracy": 0.1}}
    assert run.last == rows()[-1]
    assert run.ended
    assert run.notes == []


def test_damage_is_said_and_the_rest_is_read(tmp_path):
    write_figures(tmp_path)
    (tmp_path / "result.json").write_text('{"steps": 3')
    (tmp_path / "data.json").write_text("[1]")
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"step": 31, "ep')
    run = read_run(str(tmp_path))
    assert not run.ended
    assert run.rows == rows()
    assert any("result.json" in note for note in run.notes)
    assert any("data.json" in note for note in run.notes)


def test_a_folder_without_a_run_is_a_mistake(tmp_path):
    with pytest.raises(RunFolderError, match="holds no run"):
        read_run(str(tmp_path))


def test_settings_of_a_newer_version_are_read_too():
    text = "# Settings of simclr_tf 9.0, form 7.\n--unheard_of=1=2\n\nnonsense\n"
    assert settings_of(text) == {"unheard_of": "1=2"}


def test_runs_of_one_name_are_told_apart():
    assert names_apart(["a/run", "b/run", "c/other/"]) == ["a/run", "b/run", "other"]
    deep = ["/runs/cifar10/simclr/seed0", "/runs/cifar10/supcon/seed0"]
    assert names_apart(deep) == ["simclr/seed0", "supcon/seed0"]
    assert names_apart(["/a/run"]) == ["run"]
