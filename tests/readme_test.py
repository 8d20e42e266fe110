"""What the documents say is true: snippets run, command lines parse, links lead on."""

import csv
import math
import re
import shlex
import sys

import numpy as np
import pyarrow.parquet
import pytest
import tensorflow as tf

from simclr_tf.cli.main import COMMANDS, main
from simclr_tf.embeddings import FORMATS
from tests import sample_images, tiny
from tests.documents import DOCUMENTS, PAGES, ROOT, command_lines, name

SCRIPTS = sorted(ROOT.glob("experiments/**/*.sh"))


def test_documents_are_found():
    assert "README.md" in map(name, DOCUMENTS)
    assert sum(len(list(command_lines(p.read_text()))) for p in DOCUMENTS) >= 6


@pytest.mark.parametrize("path", [*DOCUMENTS, *SCRIPTS], ids=name)
def test_command_lines_parse(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    for command, *flags in command_lines(path.read_text()):
        given = [f for f in flags if "$" not in f and "=runs/" not in f]
        COMMANDS[command].parse(given)


def _known_flags():
    known = set()
    for command in COMMANDS.values():
        values = command.parse([])
        known |= set(values)
        known |= {f"no{each}" for each in values if values[each].boolean}
    return known


@pytest.mark.parametrize("path", [*PAGES, ROOT / "README.md"], ids=name)
def test_flags_that_are_named_exist(path):
    """Those in the text too, where no whole command stands."""
    text = re.sub(
        r"^.*(pip|mkdocs|grep|tensorboard) .*$", "", path.read_text(), flags=re.M
    )
    named = set(re.findall(r"(?<![\w-])--([a-z_]+)", text))
    assert named <= _known_flags()


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_links_lead_to_files(path):
    for target in re.findall(r"\[[^]\"]+\]\(([^)#]+)\)", path.read_text()):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), target


def test_every_file_stands_in_the_architecture():
    shown = (ROOT / "ARCHITECTURE.md").read_text()
    modules = [p for p in (ROOT / "simclr_tf").rglob("*.py") if p.stem != "__init__"]
    named = set(re.findall(r"[a-z_0-9]+\.py", shown))
    assert not {p.name for p in modules} - named
    rooms = ("simclr_tf", "experiments", "tests", "tools")
    assert named <= {p.name for room in rooms for p in (ROOT / room).rglob("*.py")}


_SMALLER = (
    ("ResNet(18)", "ResNet(18, width_multiplier=0.125, blocks=(1,))"),
    ("epochs=10", "epochs=2"),
    ("image_size=(96, 96)", "image_size=(36, 36)"),
    ("SimCLRAugmenter(64)", "SimCLRAugmenter(24)"),
    ("image_size=64", "image_size=24"),
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "epochs", "width"),
    [(_SMALLER, 2, 8), pytest.param((), 10, 512, marks=pytest.mark.exhaustive)],
    ids=["small", "as it stands"],
)
def test_the_snippet_for_user_code_runs(
    tmp_path, monkeypatch, capsys, changes, epochs, width
):
    """On a folder of 96 photographs."""
    snippet = re.search(
        r"tests/readme_test.py runs this. -->\n```python\n(.*?)```",
        (ROOT / "README.md").read_text(),
        re.DOTALL,
    )[1]
    for before, after in changes:
        assert before in snippet
        snippet = snippet.replace(before, after)
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(96):
        picture = sample_images.jpeg(sample_images.photo(100, 120, number))
        (photos / f"{number}.jpg").write_bytes(picture)

    # Keras draws weights and the order of images: without a seed it would be left to
    # chance whether twenty steps lower the loss.
    tf.keras.utils.set_random_seed(0)
    monkeypatch.chdir(tmp_path)
    exec(snippet, {})
    shown = capsys.readouterr().out
    # The bar shows a loss as it goes, and at the end of an epoch beside the speed.
    ends = re.findall(r"/step - loss: ([\d.]+)", shown)
    assert len(ends) == epochs
    losses = [float(loss) for loss in re.findall(r" - loss: ([\d.]+)", shown)]
    # Cosines of a batch of 64 lie in [-1, 1], over a temperature of 0.2.
    assert "batch_size=64" in snippet
    assert "temperature=0.2" in snippet
    assert all(0.0 < loss < math.log(127) + 2 / 0.2 for loss in losses)
    if not changes:
        assert float(ends[-1]) < float(ends[0])  # Means of whole epochs.
    loaded = tf.saved_model.load("encoder")
    assert loaded(tf.zeros([2, 80, 100, 3], tf.uint8)).shape == [2, width]


def test_what_embed_writes_is_read_as_stated(tmp_path, monkeypatch, images_npz):
    """Each paragraph of the snippet reads its file, and all give the same."""
    snippet = re.search(
        r"runs this on what embed wrote. -->\n```python\n(.*?)```",
        (ROOT / "docs" / "own_images.md").read_text(),
        re.DOTALL,
    )[1]
    monkeypatch.chdir(tmp_path)
    found = []
    for ending, paragraph in zip(FORMATS, snippet.split("\n\n")):
        flags = ["--random", f"--encoder={tiny.NAME}", "--image_size=8"]
        flags += [f"--dataset=npz:{images_npz}", "--split=test"]
        assert main(["embed", *flags, f"--output=features{ending}"]) == 0
        scope = {"np": np, "tf": tf, "csv": csv, "D": tiny.FEATURES}
        scope["pyarrow"] = pyarrow
        exec(paragraph, scope)
        found.append(scope["features"])
    for features in found:
        assert features.shape == (1000, tiny.FEATURES)
        np.testing.assert_array_equal(features, found[0])


@pytest.mark.slow
def test_the_users_own_parts_are_found(tmp_path, monkeypatch):
    """As the page names them, on small images."""
    text = (ROOT / "docs" / "architectures.md").read_text()
    code, command = re.search(
        r"runs this as my_parts.py. -->\n```python\n(.*?)```\n\n```sh\n(.*?)\n```",
        text,
        re.DOTALL,
    ).groups()
    (tmp_path / "my_parts.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    # The test after this one may have a my_parts of its own.
    monkeypatch.setitem(sys.modules, "my_parts", None)
    monkeypatch.delitem(sys.modules, "my_parts")
    command = shlex.split(command)[1:]
    images = np.random.default_rng(0).integers(0, 256, [40, 16, 16, 3], np.uint8)
    np.savez(tmp_path / "images.npz", images=images)
    smaller = {"dataset": f"npz:{tmp_path / 'images.npz'}", "batch_size": 32}
    smaller |= {"image_size": 16, "epochs": 1}
    smaller |= {"run": tmp_path / "run", "eval": "", "precision": "float32"}
    smaller |= {"report": "false"}
    flags = [f"--{name}={value}" for name, value in smaller.items()]
    assert main([*command, *flags]) == 0
    said = (tmp_path / "run" / "flags.txt").read_text()
    assert "--views=crop|flip|my_parts:Darken(0.4)" in said
    assert "--encoder=my_parts:encoder" in said
