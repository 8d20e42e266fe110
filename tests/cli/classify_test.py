"""What a trained classifier says of images: `simclr classify`."""

import contextlib
import csv
import io
import json
import os

import numpy as np
import pytest
from PIL import Image

from simclr_tf.cli.main import main
from tests import tiny
from tests.training.cut_short import without_export

pytestmark = pytest.mark.slow


def _images(count, seed):
    """Noisy grey, of three brightnesses."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = 40 + 80 * labels[:, None, None, None]
    images = images + generator.normal(0, 20, [count, 16, 16, 3])
    return images.clip(0, 255).astype(np.uint8), labels


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of finetune, whose classes are dark, grey and light."""
    folder = tmp_path_factory.mktemp("classifier")
    (x, y), (tx, ty) = _images(90, 0), _images(41, 1)
    names = np.array(["dark", "grey", "light"])
    np.savez(
        folder / "data.npz", x_train=x, y_train=y, x_test=tx, y_test=ty, classes=names
    )
    arguments = [
        *("finetune", "--from_scratch", f"--dataset=npz:{folder / 'data.npz'}"),
        *(f"--encoder={tiny.NAME}", "--image_size=16", "--batch_size=18"),
        *("--epochs=6", "--precision=float32", f"--run={folder / 'run'}"),
    ]
    with without_export():
        assert _told(*arguments)[0] == 0
    return folder / "run"


def _told(*arguments):
    with contextlib.redirect_stdout(io.StringIO()) as output:
        status = main([str(each) for each in arguments])
    return status, output.getvalue()


def _rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_its_figures_are_those_of_the_run(run, tmp_path):
    table = tmp_path / "classes.csv"
    status, told = _told("classify", f"--run={run}", f"--output={table}")
    assert status == 0
    result = json.loads((run / "result.json").read_text())
    figures = json.loads((tmp_path / "classes.json").read_text())
    for name in ("top1", "mean_per_class", "confusion", "images", "classes"):
        assert figures[name] == result[name]
    assert result["top1"] > 0.6
    assert f"top-1 {result['top1']:.4f}" in told
    assert Image.open(tmp_path / "classes_confusion.png").size[0] > 100
    rows = _rows(table)
    assert [row["index"] for row in rows] == [str(k) for k in range(41)]
    right = sum(row["guess"] == row["class"] for row in rows)
    assert right / 41 == result["top1"]
    assert all(1 / 3 <= float(row["probability"]) <= 1 for row in rows)


def test_without_a_test_split_it_is_measured_on_what_was_held_out(tmp_path):
    """As the run was, and not on the images that it learned from."""
    x, y = _images(90, 3)
    np.savez(tmp_path / "data.npz", x_train=x, y_train=y)
    arguments = [
        *("finetune", "--from_scratch", f"--dataset=npz:{tmp_path / 'data.npz'}"),
        *(f"--encoder={tiny.NAME}", "--image_size=16", "--batch_size=18"),
        *("--epochs=1", "--precision=float32", f"--run={tmp_path / 'run'}"),
    ]
    with without_export():
        assert _told(*arguments)[0] == 0
    table = tmp_path / "classes.csv"
    status, told = _told("classify", f"--run={tmp_path / 'run'}", f"--output={table}")
    assert status == 0
    assert "learned from" not in told
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    figures = json.loads((tmp_path / "classes.json").read_text())
    assert figures["images"] == result["images"] == 18
    assert figures["confusion"] == result["confusion"]
    # All of them where the images are named, which is said.
    flags = [f"--run={tmp_path / 'run'}", f"--dataset=npz:{tmp_path / 'data.npz'}"]
    status, told = _told("classify", *flags, f"--output={table}")
    assert status == 0
    assert "Of 90 images" in told
    assert "The test images were learned from too" in told


def _folder(path, names, count=9):
    for k, image in enumerate(_images(count, 2)[0]):
        folder = path / names[k % 3] if names else path
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{k}.png")
    return f"--dataset=folder:{path}"


def test_images_without_labels_are_classified(run, tmp_path, capsys):
    """One of which is damaged, which is said."""
    data = _folder(tmp_path / "new", None, count=12)
    damaged = tmp_path / "new" / "4.png"
    damaged.write_bytes(damaged.read_bytes()[:-40])
    table = tmp_path / "new.csv"
    status, told = _told("classify", f"--run={run}", data, f"--output={table}")
    assert status == 0
    rows = _rows(table)
    files = {os.path.basename(row["path"]) for row in rows}
    assert files == {f"{k}.png" for k in range(12)} - {"4.png"}
    assert "4.png" in capsys.readouterr().err
    assert {row["guess"] for row in rows} <= {"dark", "grey", "light"}
    assert all("class" not in row for row in rows)
    assert not (tmp_path / "new.json").exists()
    assert "The classes of 11 images are in" in told


def test_classes_are_matched_by_name(run, tmp_path):
    """In another order, and with one that the classifier does not know."""
    table = tmp_path / "named.csv"
    data = _folder(tmp_path / "named", ["zdark", "grey", "light"])
    status, _ = _told("classify", f"--run={run}", data, f"--output={table}")
    assert status == 0
    figures = json.loads((tmp_path / "named.json").read_text())
    assert figures["images"] == 6
    assert figures["classes"] == ["dark", "grey", "light"]
    assert {row["class"] for row in _rows(table)} == {"", "grey", "light"}


def test_other_classes_are_no_mistakes(run, tmp_path):
    table = tmp_path / "other.csv"
    data = _folder(tmp_path / "other", ["a", "b", "c"])
    status, told = _told("classify", f"--run={run}", data, f"--output={table}")
    assert status == 0
    assert "Nothing is counted as right or wrong" in told
    assert len(_rows(table)) == 9
    assert not (tmp_path / "other.json").exists()


def test_a_finished_run_says_what_its_figures_are_of(run, tmp_path):
    """Another --test_dataset is measured by classify."""
    x, y = _images(12, 5)
    names = np.array(["dark", "grey", "light"])
    np.savez(tmp_path / "test.npz", x_test=x, y_test=y, classes=names)
    flags = (f"--test_dataset=npz:{tmp_path / 'test.npz'}", "--from_scratch")
    before = (run / "result.json").read_text()
    status, told = _told("finetune", f"--run={run}", *flags)
    assert status == 0
    assert "simclr classify measures" in told
    assert (run / "result.json").read_text() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--run"),
        (["--run=nowhere"], "nowhere"),
        (["--output=classes.txt"], ".csv"),
    ],
)
def test_mistakes_are_told(run, arguments, said, capsys):
    given = [f"--run={run}"] if arguments == ["--output=classes.txt"] else []
    assert _told("classify", *given, *arguments)[0] == 2
    assert said in capsys.readouterr().err
