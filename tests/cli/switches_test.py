"""--help and --debug are found in all of absl's spellings."""

import pytest

from simclr_tf.cli.main import main
from simclr_tf.cli.switches import Switches, switches


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("", (False, False)),
        ("--debug", (False, True)),
        ("-debug", (False, True)),
        ("--debug=true", (False, True)),
        ("--debug=True", (False, True)),
        ("--debug=1", (False, True)),
        ("--nodebug", (False, False)),
        ("--debug=false", (False, False)),
        ("--debug --nodebug", (False, False)),
        ("--debug=maybe", (False, False)),
        ("-h", (True, False)),
        ("--help=true -debug", (True, True)),
        ("--nohelp", (False, False)),
        ("--run runs/photos --epochs=ten --debug", (False, True)),
        ("a.jpg b.jpg --debug", (False, True)),
        ("--flagfile=flags.txt", (False, True)),
        ("--flagfile flags.txt --nodebug", (False, False)),
        ("--flagfile=nowhere.txt --debug", (False, True)),
        ("--flagfile nowhere.txt -debug", (False, True)),
        ("--flagfile", (False, False)),
        ("--output=--debug", (False, False)),
        ("--name=debug -- --debug", (False, False)),
    ],
)
def test_every_spelling_is_found(line, found, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flags.txt").write_text("# Mine.\n--gone=1\n--debug\n")
    assert switches(line.split()) == Switches(*found)


@pytest.mark.parametrize("spelling", ["--debug=True", "-debug", "--flagfile=flags.txt"])
def test_where_a_mistake_was_found_is_shown(spelling, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flags.txt").write_text("--debug\n")
    assert main(["knn", "--run=nowhere", spelling]) == 2
    assert capsys.readouterr().err.startswith("Traceback (most recent call last):")
    assert main(["knn", "--run=nowhere", spelling, "--nodebug"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
