"""Reports of runs of all kinds, and one in a real browser."""

import json
import pathlib
import re
import shutil
import subprocess

import numpy as np
import pytest

from simclr_tf.cli.main import main
from simclr_tf.errors import UserError
from simclr_tf.report import make_report
from simclr_tf.report.write import MOST_BYTES
from simclr_tf.training import Distillation, FineTuning, distill, finetune
from tests import sample_images
from tests.report.made_runs import make_run, write_figures

_EVIL = "<script>alert(1)</script>"
_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def images_of(folder, channels=3, height=16, width=16, labels=True, dtype=np.uint8):
    """The notation of 60 images, three of whose classes have evil names."""
    drawn, classes = sample_images.images(60, size=24, classes=3)
    cut = np.concatenate([drawn, drawn], axis=-1)[:, :height, :width, :channels]
    cut = np.ascontiguousarray(cut)
    arrays = {"x_train": cut if dtype == np.uint8 else np.float32(cut / 255.0)}
    if labels:
        names = np.array([_EVIL, '"><img src=x onerror=alert(2)>', "it's & more"])
        arrays |= {"y_train": classes, "classes": names}
    path = folder / "<b>images.npz"
    np.savez(path, **arrays)
    return f"npz:{path}"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A labelled run."""
    folder = tmp_path_factory.mktemp("labelled")
    return make_run(folder / "<i>run", images_of(folder), image_size=16)


@pytest.fixture(scope="module")
def page(run):
    return make_report([run])


def data_of(page):
    text = re.search(r'id="report-data">(.*?)</script>', page, re.S).group(1)
    return json.loads(text)


def test_it_holds_each_of_its_parts(page):
    for part in ("curves", "views", "neighbours", "map", "geometry", "classes", "data"):
        assert f'id="{part}"' in page, part
    for part in ("speed", "settings", "summary"):
        assert f'id="{part}"' in page, part
    assert "It learned" in page
    assert "Verdict: learned." in page
    assert "--batch_size" in page
    assert "simclr pretrain --flagfile=" in page
    found = data_of(page)
    assert len(found["maps"]["0"]["names"]) == 60
    assert "PCA" in found["maps"]["0"]["projections"]
    assert set(found["maps"]["0"]["groups"]) == {"class", "group", "part"}


@pytest.mark.exhaustive
def test_a_fine_tuning_has_the_pictures_of_a_pretraining(run, tmp_path):
    """And a distillation of it; their confusion matrix is in their result."""
    labelled, student = str(tmp_path / "labelled"), str(tmp_path / "student")
    few = {"epochs": 1, "batch_size": 8}
    tuned = FineTuning(init=run, train_labels="4-per-class", **few)
    finetune(tuned, labelled, say=lambda line: None)
    distill(Distillation(teacher=labelled, **few), student, say=lambda line: None)
    for path, images in ((labelled, 24), (student, 52)):
        page = make_report([path], images=60)
        for part in ("views", "neighbours", "map", "geometry", "classes"):
            assert f'id="{part}"' in page, part
        assert "No pictures" not in page
        # Those learned from and the test images; none whose label was not used.
        assert len(data_of(page)["maps"]["0"]["names"]) == images


def test_it_is_one_file_that_loads_nothing(page):
    assert len(page.encode()) < MOST_BYTES
    assert not re.search(r"""(src|href)=["'](?!#|data:)""", page)
    assert not re.search(r"url\((?!data:|#)", page)
    words = re.sub(r"base64,[\w+/=]+", "", page)
    assert "http" not in re.sub(r"http-equiv|http://www.w3.org/2000/svg", "", words)


def test_names_of_the_users_are_escaped(page):
    assert _EVIL not in page
    assert "<img" not in page
    assert "<b>images" not in page
    assert "<i>run" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert _EVIL in data_of(page)["maps"]["0"]["groups"]["class"]["names"]


@pytest.mark.parametrize(
    ("channels", "size", "labels", "dtype", "method"),
    [
        (3, "16", False, np.uint8, "simclr"),
        (1, "16", True, np.uint8, "rotation"),
        (2, "12x20", True, np.float32, "simclr"),
        pytest.param(4, "16", True, np.uint8, "dcl", marks=pytest.mark.exhaustive),
    ],
)
def test_images_of_all_kinds(tmp_path, channels, size, labels, dtype, method):
    dataset = images_of(tmp_path, channels, 16, 20, labels, dtype)
    settings = {"image_size": size, "method": method}
    made = make_run(tmp_path / "run", dataset, channels, **settings)
    page = make_report([made], images=24)
    assert "No pictures" not in page
    groups = data_of(page)["maps"]["0"]["groups"]
    assert ("class" in groups) == labels
    assert ('id="classes"' in page) == labels
    assert ("channel 1 red, 2 green" in page) == (channels == 2)


def test_what_cannot_be_read_is_said_and_the_rest_is_there(tmp_path):
    dataset = images_of(tmp_path)
    made = make_run(tmp_path / "run", dataset, image_size=16)
    pathlib.Path(dataset.partition(":")[2]).unlink()
    said = []
    page = make_report([made], say=said.append)
    assert "No pictures: " in page
    assert "images.npz" in said[0]
    assert 'id="curves"' in page
    assert 'id="views"' not in page


def test_an_unfinished_run_says_how_far_it_came(tmp_path):
    write_figures(tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()
    page = make_report([str(tmp_path / "run")], say=lambda line: None)
    assert "This run has not ended: its newest figures are of epoch 3" in page


def test_several_runs_are_compared(run, tmp_path):
    write_figures(tmp_path / "other", seconds=7.0)
    (tmp_path / "other" / "flags.txt").write_text("--epochs=9\n--method=dcl\n")
    page = make_report([run, str(tmp_path / "other")], images=8, say=lambda line: None)
    assert "Settings that differ" in page
    assert re.search(r"--epochs</code></th><td><code>3</code></td><td><code>9", page)
    charts = {chart["title"]: chart for chart in data_of(page)["curves"]}
    assert len(charts["loss"]["series"]) == 2


def test_the_command_takes_runs_without_dashes(run, tmp_path, capsys):
    output = tmp_path / "new" / "page.html"
    assert main(["report", run, f"--output={output}", "--images=0"]) == 0
    assert f"The report is {output}." in capsys.readouterr().out
    assert output.read_text().startswith("<!doctype html>")
    assert main(["report"]) == 2
    assert "Name a run folder" in capsys.readouterr().err
    assert main(["report", str(tmp_path / "nowhere")]) == 2
    assert "holds no run" in capsys.readouterr().err


def test_no_run_is_a_mistake():
    with pytest.raises(UserError, match="one run folder or more"):
        make_report([])


@pytest.mark.skipif(not _CHROMIUM, reason="needs Debian's chromium on PATH")
def test_a_browser_draws_it_without_an_error(page, tmp_path):
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    shown = subprocess.run(
        [
            *(_CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu"),
            *("--disable-background-networking", "--no-first-run"),
            *(f"--user-data-dir={tmp_path / 'profile'}", "--window-size=390,800"),
            *("--enable-logging=stderr", "--virtual-time-budget=2000", "--dump-dom"),
            f"file://{tmp_path / 'page.html'}",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "CONSOLE" not in shown.stderr
    charts = len(data_of(page)["curves"])
    assert shown.stdout.count('class="line"') >= charts + 1  # And the spectrum.
    drawn = [each for each in shown.stdout.split("<svg") if 'class="line"' in each]
    assert all(each.count('class="grid"') >= 3 for each in drawn)  # To read values by.
    assert shown.stdout.count('r="3.6"') == 60  # A point an image, on a phone.
    assert "<script>alert" not in shown.stdout
