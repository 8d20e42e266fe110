"""The tutorial runs from its first cell to its last."""

import ast
import importlib.util
import json
import os
import re

import pytest

from simclr_tf.cli.main import COMMANDS
from tests.documents import ROOT

PATH = ROOT / "docs" / "tutorial.ipynb"
# A run that shows nothing but that every cell does what the next one needs.
_QUICK = {
    '"shapes:2000"': '"shapes:300"',
    "IMAGE_SIZE = 32": "IMAGE_SIZE = 16",
    '"resnet18x0.25"': '"resnet18x0.125"',
    "EPOCHS = 20": "EPOCHS = 2",
}


@pytest.fixture
def notebook():
    """What the file holds, with quick settings in its first cell of code."""
    held = json.loads(PATH.read_text())
    settings = _code_cells(held)[0]
    assert settings["metadata"]["tags"] == ["parameters"]
    source = "".join(settings["source"])
    for before, after in _QUICK.items():
        assert before in source
        source = source.replace(before, after)
    settings["source"] = source
    return held


def _code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_it_is_kept_without_what_a_run_left_in_it():
    cells = _code_cells(json.loads(PATH.read_text()))
    assert len(cells) > 8
    assert not any(cell["outputs"] or cell["execution_count"] for cell in cells)


def test_its_command_lines_parse(notebook):
    """Words in braces are filled in, all else is as it stands."""
    values = {"DATASET": "shapes:300", "IMAGE_SIZE": "16", "EPOCHS": "2"}
    values |= {
        "ENCODER": "resnet18x0.125",
        "start": "--init=a",
        "data": "",
        "name": "b",
    }
    found = set()
    for cell in _code_cells(notebook):
        for call in ast.walk(ast.parse("".join(cell["source"]))):
            called = isinstance(call, ast.Call) and getattr(call.func, "id", "")
            if called == "simclr":
                line = eval(ast.unparse(call.args[0]), dict(values))
                command, *flags = line.split()
                COMMANDS[command].parse(flags)
                found.add(command)
    assert {"preview", "pretrain", "finetune", "search", "report", "export"} <= found


@pytest.mark.exhaustive
def test_its_cells_run(notebook, tmp_path, monkeypatch):
    """In this process, as one program."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    scope = {"__name__": "__main__"}
    for place, cell in enumerate(_code_cells(notebook)):
        code = compile("".join(cell["source"]), f"cell {place}", "exec")
        exec(code, scope)
    assert (tmp_path / "report.html").exists()
    assert (tmp_path / "encoder" / "saved_model.pb").exists()


@pytest.mark.exhaustive
@pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("nbclient", "ipykernel"))),
    reason="needs nbclient and ipykernel: requirements-notebook.txt has them",
)
def test_it_runs_in_a_kernel(notebook, tmp_path, monkeypatch):
    """As a reader runs it."""
    import nbformat
    from nbclient import NotebookClient

    others = os.environ.get("PYTHONPATH")
    path = str(ROOT) if others is None else f"{ROOT}{os.pathsep}{others}"
    monkeypatch.setenv("PYTHONPATH", path)
    held = nbformat.reads(json.dumps(notebook), as_version=4)
    NotebookClient(
        held, timeout=1800, resources={"metadata": {"path": tmp_path}}
    ).execute()
    shown = json.dumps(held)
    assert re.search(r"few +0\.\d", shown)
    assert (tmp_path / "report.html").exists()
