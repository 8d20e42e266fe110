"""What lies beside the package is true: requirements, workflows, lists, an image."""

import pathlib
import re
import sys

import pytest

from simclr_tf.tpu_check.second_environment import PACKAGES
from simclr_tf.version import __version__

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
YAML = sorted(
    [
        *ROOT.glob(".github/**/*.yml"),
        ROOT / ".pre-commit-config.yaml",
        ROOT / "CITATION.cff",
    ]
)
REQUIREMENTS = ("requirements.txt", "requirements-tf2.21.txt")


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def load(path):
    yaml = pytest.importorskip("yaml", reason="needs pyyaml of requirements-dev.txt")
    return yaml.safe_load(path.read_text())


def names(requirements):
    """What requirements ask for, without versions, markers and comments."""
    words = (re.match(r"[\w-]+", line.strip()) for line in requirements)
    return {word[0].lower().replace("_", "-") for word in words if word}


@pytest.mark.parametrize("path", YAML, ids=lambda path: path.name)
def test_yaml_is_yaml(path):
    assert isinstance(load(path), dict)


def test_an_issue_asks_for_something():
    for name in ("defect", "idea"):
        form = load(ROOT / f".github/ISSUE_TEMPLATE/{name}.yml")
        assert form["name"]
        assert form["description"]
        ids = [field["id"] for field in form["body"]]
        assert len(set(ids)) == len(ids)
        assert all(field["attributes"]["label"] for field in form["body"])


def test_the_workflow_runs_what_there_is_on_every_python(project):
    jobs = load(ROOT / ".github/workflows/tests.yml")["jobs"]
    commands = [s["run"] for job in jobs.values() for s in job["steps"] if "run" in s]
    assert len(commands) == 2
    for command in commands:
        shell, script, *arguments = command.split()
        assert shell == "sh"
        assert (ROOT / script).is_file()
        assert arguments in ([], ["python"])
    least, most = re.fullmatch(
        r">=3\.(\d+),<3\.(\d+)", project["requires-python"]
    ).groups()
    wanted = [f"3.{minor}" for minor in range(int(least), int(most))]
    for job in jobs.values():
        assert job["strategy"]["matrix"]["python"] == wanted


def test_hooks_before_a_commit_are_programs_of_the_environment():
    (repository,) = load(ROOT / ".pre-commit-config.yaml")["repos"]
    installed = names((ROOT / "requirements-dev.txt").read_text().splitlines())
    for hook in repository["hooks"]:
        program, *arguments = hook["entry"].split()
        name = program.rpartition("/")[2]
        assert name in installed | {"python"}
        if name == "python":
            assert (ROOT / arguments[0]).is_file()


def test_the_version_is_said_once_more_and_the_same():
    assert load(ROOT / "CITATION.cff")["version"] == __version__
    assert f"\n## {__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_what_only_tests_need_is_no_requirement_of_users(project):
    development = names((ROOT / "requirements-dev.txt").read_text().splitlines())
    assert {"pytest", "ruff", "mypy"} <= development
    assert not development & names(project["dependencies"])
    for path in REQUIREMENTS:
        lines = [*(ROOT / path).read_text().splitlines()]
        assert not development & names(line for line in lines if "==" in line)


def test_everything_that_setup_installs_is_pinned():
    for path in (*REQUIREMENTS, "requirements-dev.txt"):
        for line in (ROOT / path).read_text().splitlines():
            assert not line or line.startswith("#") or "==" in line, line


def test_the_readme_lists_what_goes_beside_a_tensorflow_of_ones_own(project):
    """All that the package asks for whichever Python and TensorFlow there are."""
    wanted = [line for line in project["dependencies"] if "python_version" not in line]
    for path in ("README.md", "experiments/imagenet/LAUNCH.md"):
        (listed,) = re.findall(
            r"install -c own.txt (jinja2.*)", (ROOT / path).read_text()
        )
        assert names(listed.split()) == names(wanted)
        assert "keras-cv==0.9.0" in listed.split()
    assert "keras-cv==0.9.0" in wanted


def test_the_extras_are_those_that_the_readme_names(project):
    extras = project["optional-dependencies"]
    text = (ROOT / "README.md").read_text()
    sentence = text.split("Extras are")[1].split(":")[0]
    assert set(re.findall(r"`([\w-]+)`", sentence)) == set(extras)
    pinned = [requirement.split(";")[0] for requirement in extras["tpu-check"]]
    assert tuple(pinned) == PACKAGES


def test_the_image_is_made_of_what_there_is(project):
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copying = [line.split()[1:-1] for line in lines if line.startswith("COPY")]
    copied = {name for names_copied in copying for name in names_copied}
    sent = (ROOT / ".dockerignore").read_text().split()
    for name in copied:
        assert (ROOT / name).exists()
        assert f"!{name}" in sent
    assert {"pyproject.toml", project["readme"], *project["license-files"]} <= copied
