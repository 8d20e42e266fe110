"""The BUILD files tell the true dependency graph, and it is one to be proud of."""

from __future__ import annotations

import importlib.metadata
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from tools.bazel import build_files

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 10), reason="needs sys.stdlib_module_names of Python 3.10"
)


def write(root: pathlib.Path, **texts: str) -> None:
    for name, text in texts.items():
        path = root / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture(scope="module")
def known() -> dict[str, build_files.Module]:
    """The modules of the whole checkout, by their paths."""
    return build_files.modules(build_files.ROOT)


@pytest.fixture(scope="module")
def needed(known) -> dict[pathlib.PurePosixPath, set[str]]:
    """The labels each module depends on, by its path."""
    return {
        module.path: build_files.dependencies(module, known)
        for module in known.values()
    }


@pytest.fixture(scope="module")
def graph(known, needed) -> dict[str, set[str]]:
    """The labels each target depends on."""
    return {module.label: needed[module.path] for module in known.values()}


def test_build_files_are_what_the_source_tree_says(known, needed, monkeypatch):
    # What takes seconds is done once for all.
    monkeypatch.setattr(build_files, "modules", lambda root: known)
    monkeypatch.setattr(build_files, "dependencies", lambda m, known: needed[m.path])
    stale = build_files.out_of_date(build_files.ROOT)
    assert not stale, "run: python tools/bazel/build_files.py --write"


def test_no_module_depends_on_itself(graph):
    done: set[str] = set()

    def visit(label: str, path: tuple[str, ...]) -> None:
        assert label not in path, " -> ".join((*path, label))
        if label not in done:
            for dependency in graph.get(label, ()):
                visit(dependency, (*path, label))
            done.add(label)

    for label in graph:
        visit(label, ())


def test_library_does_not_know_the_command_line_or_the_tests(graph):
    for label, dependencies in graph.items():
        if label.startswith("//simclr_tf") and label != "//simclr_tf:simclr":
            assert not any(d.startswith("//tests") for d in dependencies), label
            if not label.startswith("//simclr_tf/cli"):
                assert "//:absl" not in dependencies, label
                assert not any("/cli" in d for d in dependencies), label


def test_third_party_imports_of_the_package_are_its_declared_dependencies(graph):
    text = (build_files.ROOT / "pyproject.toml").read_text()
    declared = re.search(r"^dependencies = \[(.*?)^\]", text, re.M | re.S).group(1)
    extras = re.search(
        r"^\[project.optional-dep.*?\](.*?)^\[", text, re.M | re.S
    ).group(1)
    names = {name.lower() for name in re.findall(r'"([\w-]+)', declared + extras)}
    imported = {
        dependency[len("//:") :]
        for label, dependencies in graph.items()
        if label.startswith("//simclr_tf")
        for dependency in dependencies
        if dependency.startswith("//:")
    }
    providers = importlib.metadata.packages_distributions()
    for module in imported & set(providers):
        assert {name.lower() for name in providers[module]} & names, module


def test_deps_are_the_imports_wherever_they_stand(tmp_path):
    write(
        tmp_path,
        simclr_tf__loss__nt_xent="""
import math
import numpy as np
def f():
    import tensorflow_addons as tfa
    from simclr_tf import version
""",
        simclr_tf__version="",
    )
    assert build_files.build_files(tmp_path)["simclr_tf/loss/BUILD"] == (
        build_files.HEADER
        + """\
load("//tools/bazel:python.bzl", "py_library")

package(default_visibility = ["//visibility:public"])

py_library(
    name = "nt_xent",
    srcs = ["nt_xent.py"],
    deps = [
        "//:numpy",
        "//:tensorflow_addons",
        "//simclr_tf:version",
    ],
)
"""
    )


def test_name_a_room_reexports_is_the_rooms_and_a_submodule_is_its_own(tmp_path):
    write(tmp_path, simclr_tf__loss__nt_xent="", simclr_tf__loss__replicas="")
    (tmp_path / "simclr_tf/loss/__init__.py").write_text(
        "from simclr_tf.loss.nt_xent import nt_xent\n"
    )
    known = build_files.modules(tmp_path)

    def label(name: str, attribute: str | None = None) -> str | None:
        return build_files.label_of(name, attribute, known)

    assert label("simclr_tf.loss", "nt_xent") == "//simclr_tf/loss"
    assert label("simclr_tf.loss") == "//simclr_tf/loss"
    assert label("simclr_tf.loss", "replicas") == "//simclr_tf/loss:replicas"
    assert label("simclr_tf.loss.nt_xent", "nt_xent") == "//simclr_tf/loss:nt_xent"


def test_stale_and_superfluous_files_are_named(tmp_path):
    write(tmp_path, simclr_tf__version="", tests__version_test="import pytest\n")
    for path, text in build_files.build_files(tmp_path).items():
        (tmp_path / path).write_text(text)
    assert build_files.out_of_date(tmp_path) == {}

    (tmp_path / "simclr_tf/empty").mkdir()
    (tmp_path / "simclr_tf/empty/BUILD").write_text("")
    write(tmp_path, tests__version_test="import pytest, simclr_tf.version\n")
    stale = build_files.out_of_date(tmp_path)
    assert set(stale) == {"simclr_tf/empty/BUILD", "tests/BUILD"}
    assert stale["simclr_tf/empty/BUILD"] is None


@pytest.mark.skipif(not shutil.which("buildifier"), reason="needs buildifier on PATH")
def test_buildifier_finds_nothing_to_say():
    checked = subprocess.run(
        ["buildifier", "-mode=check", "-lint=warn", "-r", build_files.ROOT],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
