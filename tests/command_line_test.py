"""A command is told from a program that imports the package."""

import sys

import pytest

from simclr_tf import command_line


@pytest.mark.parametrize(
    ("argv", "orig_argv", "is_one"),
    [
        (["/home/me/.venv/bin/simclr", "knn"], [], True),
        (["-m"], ["python", "-m", "simclr_tf", "knn"], True),
        (["-m"], ["python", "-m", "my_training"], False),
        (["-m"], None, True),
        (["simclr.py"], [], False),
        (["/usr/bin/pytest"], [], False),
        ([""], [], False),
        ([], [], False),
    ],
)
def test_by_how_python_was_started(monkeypatch, argv, orig_argv, is_one):
    monkeypatch.setattr(sys, "argv", argv)
    if orig_argv is None:  # Python 3.9.
        monkeypatch.delattr(sys, "orig_argv", raising=False)
    else:
        monkeypatch.setattr(sys, "orig_argv", orig_argv, raising=False)
    assert command_line.is_command() is is_one
