"""docs/ makes a site: every page is reached, and the reference leaves nothing out."""

import importlib
import inspect
import re
import shutil
import subprocess

import pytest

from tests.doctests_test import PUBLIC
from tests.documents import PAGES, ROOT

# What others of the public names make or take, and no reader looks up.
_UNNAMED = {
    *("Encoded", "Monitor", "PretrainingData", "ResolvedRecipe", "make_evaluators"),
    *("as_augmenter", "checked_values", "evaluation_view", "explain_out_of_range"),
    *("known_in_range", "resize_box", "resize_crop", "to_unit_range"),
    *("views_of_crops_on_host", "views_on_host", "capabilities_of", "encode"),
    *("cuts_files", "data_errors", "evaluation_batches", "given_spec", "in_form"),
    *("labelled_part", "load_for_pretraining", "load_splits", "load_test"),
    *("load_train_and_test", "pretrain_batches", "preview", "require_divisible"),
    *("sample", "sample_sizes"),
    *("spec_of_given", "steps_per_epoch", "unaugmented", "write_prepared"),
    *("build_augmenter", "build_model"),
}


def _nav():
    text = (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")[2]
    return set(re.findall(r": (\S+\.(?:md|ipynb))$", text, re.MULTILINE))


def test_the_nav_has_every_page_and_names_none_that_is_not_there():
    docs = ROOT / "docs"
    pages = {path.relative_to(docs).as_posix() for path in [*PAGES]}
    pages |= {path.relative_to(docs).as_posix() for path in docs.glob("*.ipynb")}
    assert pages <= _nav()
    for name in _nav() - pages:
        assert (ROOT / name).exists(), name


def test_the_reference_names_what_there_is():
    named = set()
    for page in ROOT.glob("docs/reference/*.md"):
        for dotted in re.findall(r"^::: (\S+)$", page.read_text(), re.MULTILINE):
            module, _, name = dotted.rpartition(".")
            value = getattr(importlib.import_module(module), name)
            assert inspect.getdoc(value), dotted
            named.add(name)
    assert set(PUBLIC) - named == _UNNAMED


@pytest.mark.exhaustive
def test_the_site_is_built(tmp_path):
    """With every link that leads nowhere an error; see requirements-docs.txt."""
    own = ROOT / ".venv-docs" / "bin" / "mkdocs"
    mkdocs = str(own) if own.exists() else shutil.which("mkdocs")
    if mkdocs is None:
        pytest.skip("needs MkDocs: requirements-docs.txt says how")
    command = [mkdocs, "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    models = (tmp_path / "site" / "reference" / "models.html").read_text()
    assert "Contrastive learning of an encoder" in models
    why = (tmp_path / "site" / "why_large_batches.html").read_text()
    assert 'href="experiments/benchmark/index.html#loss"' in why
    assert (tmp_path / "site" / "experiments/benchmark/benchmark.png").exists()
