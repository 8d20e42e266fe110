"""The pages of docs/: their code runs as it stands."""

import os

import numpy as np
import pytest

from tests import sample_images
from tests.documents import PAGES, name, python_blocks

_WITH_CODE = [page for page in PAGES if list(python_blocks(page.read_text()))]


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """A folder as a reader has it: `images.npz`, and what earlier blocks wrote."""
    images, labels = sample_images.images(96)
    np.savez(tmp_path / "images.npz", images=images, labels=labels)
    monkeypatch.chdir(tmp_path)


def _cases():
    """Each page as the common tier runs it, and whole where that leaves out blocks."""
    for page in _WITH_CODE:
        yield pytest.param(page, False, id=name(page))
        if any(block.exhaustive for block in python_blocks(page.read_text())):
            marks = pytest.mark.exhaustive
            yield pytest.param(page, True, id=f"{name(page)}, whole", marks=marks)


@pytest.mark.slow
@pytest.mark.parametrize(("page", "whole"), _cases())
def test_the_code_of_a_page_runs(page, whole, begun):
    """Block after block, as one program; the large ones in the exhaustive tier."""
    blocks = list(python_blocks(page.read_text()))
    scope = {"__name__": "__main__"}
    for block in blocks:
        if block.exhaustive and not whole:
            continue
        # Lines of an error are those of the page.
        code = "\n" * (block.line - 1) + block.code
        exec(compile(code, name(page), "exec"), scope)


def test_pages_are_found():
    assert "docs/in_your_code.md" in map(name, _WITH_CODE)
    blocks = list(python_blocks((PAGES[0].parent / "in_your_code.md").read_text()))
    assert 2 <= sum(block.exhaustive for block in blocks) < len(blocks) // 2
    assert os.path.isdir(PAGES[0].parent)
